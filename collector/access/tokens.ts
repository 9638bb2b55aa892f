/**
 * Bearer tokens: 256 random bits, kept only as their SHA-256, each with a scope and an end.
 *
 *   brunt_<scope>_<43 characters of base64url>
 *
 * A token file is JSON, `{"tokens": [{"name", "sha256", "scope", "expiresMs"}]}`, written by
 * `brunt token`.
 */
import { createHash } from "node:crypto";
import { ok, type Result, refuse } from "../../base/result.ts";

/**
 * - `agent`  send batches, read thresholds
 * - `read`   incidents, graphs, history, the stream, metrics
 * - `admin`  everything, changes included
 */
export type Scope = "agent" | "read" | "admin";

export interface Token {
  /** What a person calls it. */
  readonly name: string;
  /** 64 hexadecimal digits. */
  readonly sha256: string;
  readonly scope: Scope;
  readonly expiresMs: number;
}

export const scopes: readonly Scope[] = ["agent", "read", "admin"];
export const tokensMax = 1_000;
const secretSize = 32;
const nameMax = 128;

/** A new token's text, to be shown once, and what is kept of it. */
export function createToken(
  about: Pick<Token, "name" | "scope" | "expiresMs">,
  randomBytes: (size: number) => Uint8Array,
): { readonly text: string; readonly token: Token } {
  const secret = Buffer.from(randomBytes(secretSize)).toString("base64url");
  const text = `brunt_${about.scope}_${secret}`;
  return { text, token: { ...about, sha256: digestOf(text) } };
}

/**
 * Tokens are looked up by digest: how long that takes says something about digests, from which
 * nobody gets to a text.
 */
export function digestOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** The tokens of a file, or the first thing that is wrong with it. */
export function parseTokens(raw: unknown): Result<readonly Token[]> {
  const tokens = isFields(raw) ? raw.tokens : undefined;
  if (!Array.isArray(tokens)) return refuse("CONFIG_INVALID", "tokens must be a list");
  if (tokens.length > tokensMax) {
    return refuse("CONFIG_INVALID", `tokens holds ${tokens.length}, more than ${tokensMax}`);
  }
  for (const [index, token] of tokens.entries()) {
    const problem = problemOf(token);
    if (problem !== undefined) return refuse("CONFIG_INVALID", `tokens[${index}].${problem}`);
  }
  return ok(tokens as Token[]);
}

function problemOf(raw: unknown): string | undefined {
  const { name, sha256, scope, expiresMs, ...rest } = isFields(raw) ? raw : {};
  const unknown = Object.keys(rest)[0];
  if (unknown !== undefined) return `${unknown} is not known`;
  if (typeof name !== "string" || name === "" || name.length > nameMax) {
    return `name must be a text of 1 to ${nameMax} characters`;
  }
  if (typeof sha256 !== "string" || !/^[0-9a-f]{64}$/.test(sha256)) {
    return "sha256 must be 64 hexadecimal digits; make tokens with brunt token";
  }
  if (!scopes.includes(scope as Scope)) return `scope must be one of ${scopes.join(", ")}`;
  return Number.isSafeInteger(expiresMs) ? undefined : "expiresMs must be epoch milliseconds";
}

function isFields(raw: unknown): raw is Readonly<Record<string, unknown>> {
  return typeof raw === "object" && raw !== null && !Array.isArray(raw);
}
