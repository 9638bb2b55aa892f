/** The key that customers are hashed with: made once, kept where only its owner can read it. */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { OperationalError } from "../base/errors.ts";

const keySize = 16;

/**
 * Makes the file when there is none and returns how an agent's `hashKey` names it.
 * @throws {OperationalError} STORE_WRITE when the file can neither be made nor is there
 */
export function ensureHashKey(path: string, randomBytes: (size: number) => Uint8Array): string {
  attempt(path, () => mkdirSync(dirname(path), { recursive: true, mode: 0o700 }));
  if (existsSync(path)) return `file:${path}`;
  const key = Buffer.from(randomBytes(keySize)).toString("hex");
  // Exclusive, so that of two starts at one time one makes the key and the other one fails.
  attempt(path, () => writeFileSync(path, `${key}\n`, { mode: 0o600, flag: "wx" }));
  return `file:${path}`;
}

function attempt(path: string, work: () => void): void {
  try {
    work();
  } catch (cause) {
    const reason = (cause as Error).message;
    throw new OperationalError("STORE_WRITE", `cannot write the hash key ${path}: ${reason}`, {
      cause,
    });
  }
}
