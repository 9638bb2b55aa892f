/** Access as a token file says, followed, so that taking a token out shuts its holder out. */
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { type Cancel, type Clock, every } from "../../base/clock.ts";
import { OperationalError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { Meter } from "../../base/meter.ts";
import { type Result, refuse } from "../../base/result.ts";
import { type Access, createAccess } from "./access.ts";
import { parseTokens, type Token } from "./tokens.ts";

export interface AccessByFile {
  readonly access: Access;
  /** Stops following the file. */
  readonly cancel: Cancel;
}

/** A holder of a token that was taken out is shut out within this, and a second for the stream. */
const readEveryMs = 2_000;

/**
 * Without a path everybody has access. A file that does not parse later on changes nothing.
 *
 * @throws OperationalError CONFIG_INVALID when the file does not parse now
 */
export async function accessByFile(
  path: string,
  settings: { readonly clock: Clock; readonly log: Log; readonly meter: Meter },
): Promise<AccessByFile> {
  const { clock, log, meter } = settings;
  const access = createAccess({ clock, meter, randomBytes });
  if (path === "") return { access, cancel: () => {} };
  const first = await readTokens(path);
  if (!first.ok) throw new OperationalError("CONFIG_INVALID", first.error.message);
  access.setTokens(first.value);
  let wasGood = true;
  const cancel = every(clock, readEveryMs, () => {
    void readTokens(path).then((tokens) => {
      if (tokens.ok) access.setTokens(tokens.value);
      else if (wasGood)
        log.error("the token file cannot be used", { reason: tokens.error.message });
      wasGood = tokens.ok;
    });
  });
  return { access, cancel };
}

async function readTokens(path: string): Promise<Result<readonly Token[]>> {
  try {
    const tokens = parseTokens(JSON.parse(await readFile(path, "utf8")));
    return tokens.ok ? tokens : refuse("CONFIG_INVALID", `${path}: ${tokens.error.message}`);
  } catch (cause) {
    const reason = (cause as Error).message;
    return refuse("CONFIG_INVALID", `collector.tokensFile ${path} cannot be read: ${reason}`);
  }
}
