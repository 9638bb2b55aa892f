/** Who an agent is when nobody says otherwise, and where its things lie. */
import { hostname } from "node:os";
import { join } from "node:path";
import type { AgentConfig } from "../agent/config.ts";
import { ensureHashKey } from "./hash-key.ts";
import type { Arguments } from "./line/arguments.ts";
import { readDataDir } from "./line/shared-options.ts";
import type { System } from "./system.ts";

export function hashKeyPath(dataDir: string): string {
  return join(dataDir, "hash-key");
}

/** Where an agent keeps what the collector has not acknowledged. */
export function spoolPath(dataDir: string): string {
  return join(dataDir, "spool");
}

/** Makes the key's file, unless the user has named a key of their own. */
export function makeHashKey(
  { hashKey }: Pick<AgentConfig, "hashKey">,
  { args, system }: { readonly args: Arguments; readonly system: System },
): void {
  const path = hashKeyPath(readDataDir(args, system));
  if (hashKey.reveal() === `file:${path}`) ensureHashKey(path, system.randomBytes);
}

export function agentName(): string {
  return hostname().slice(0, 128) || "agent";
}

/** As OpenTelemetry's own detectors name this host in `host.name`. */
export function hostName(): string {
  return hostname();
}
