/** The key customers are hashed with: from the configuration, a file, or made at start. */
import { readFileSync } from "node:fs";
import { OperationalError } from "../base/errors.ts";
import { createSipKey, sipHash24 } from "../sketch/sip-hash.ts";
import type { Secret } from "./secret.ts";

export const hashKeySize = 16;
const fileMark = "file:";
/** Hashed under the key, this names the key; it tells nothing of it. */
const idText = new TextEncoder().encode("brunt hash key id");

/**
 * The 16 bytes of the key, or undefined when none is configured.
 *
 * @throws OperationalError CONFIG_INVALID when the file does not hold 32 hexadecimal digits
 */
export function readHashKey(secret: Secret): Uint8Array | undefined {
  const text = secret.reveal();
  if (text === "") return undefined;
  const digits = text.startsWith(fileMark) ? readKeyFile(text.slice(fileMark.length)) : text;
  return Uint8Array.from(Buffer.from(digits, "hex"));
}

function readKeyFile(path: string): string {
  let content: string;
  try {
    content = readFileSync(path, "utf8").trim();
  } catch (cause) {
    throw new OperationalError("CONFIG_INVALID", `cannot read the hash key file ${path}`, {
      cause,
    });
  }
  if (!/^[0-9a-fA-F]{32}$/.test(content)) {
    const message = `the hash key file ${path} must hold 32 hexadecimal digits and nothing else`;
    throw new OperationalError("CONFIG_INVALID", message);
  }
  return content;
}

/** 16 hexadecimal digits that differ from key to key. */
export function hashKeyIdOf(key: Uint8Array): string {
  const out = new Uint32Array(2);
  sipHash24(createSipKey(key), idText, 0, idText.length, out);
  return [...out].map((word) => word.toString(16).padStart(8, "0")).join("");
}
