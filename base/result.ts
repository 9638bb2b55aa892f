/** Bad input is a value: what a decoder or a parser answers instead of throwing. */
import type { ErrorCode } from "./errors.ts";

export type Result<T, E = Problem> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: E };

/** Why an input was refused: a code for machines, a lower-case sentence for people. */
export interface Problem {
  readonly code: ErrorCode;
  readonly message: string;
  /** Of a refusal that will pass: when to try again. */
  readonly retryAfterMs?: number;
}

export function ok<T>(value: T): { readonly ok: true; readonly value: T } {
  return { ok: true, value };
}

export function fail<E>(error: E): { readonly ok: false; readonly error: E } {
  return { ok: false, error };
}

/** A refusal with its code. */
export function refuse(
  code: ErrorCode,
  message: string,
): { readonly ok: false; readonly error: Problem } {
  return fail({ code, message });
}
