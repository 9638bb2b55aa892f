/** The key that customers are hashed with: made once, kept where only its owner can read it. */
import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  rmSync,
  writeFileSync,
} from "node:fs";
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
  attempt(path, () => makeWhole(path, `${key}\n`));
  return `file:${path}`;
}

/**
 * After a power cut the file is there whole or not at all, for with half a key nothing starts. Of
 * two starts at one time one makes it, as a link does not replace, and the other one fails.
 */
function makeWhole(path: string, text: string): void {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    writeFileSync(temporary, text, { mode: 0o600 });
    sync(temporary);
    linkSync(temporary, path);
  } finally {
    rmSync(temporary, { force: true });
  }
  sync(dirname(path));
}

function sync(path: string): void {
  const file = openSync(path, "r");
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
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
