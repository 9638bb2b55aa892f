/**
 * Content codings of request bodies: identity and gzip, with a hard bound on what comes out, which
 * is taken from the byte budget before a byte is inflated. Inflating is synchronous, so at one time
 * at most one body is inflated.
 */
import { gunzipSync } from "node:zlib";
import { ok, type Result, refuse } from "../../base/result.ts";
import type { ByteBudget } from "./byte-budget.ts";

export interface InflateLimits {
  readonly budget: ByteBudget;
  /** What one body may inflate to. */
  readonly bytesMax: number;
}

/** Real telemetry shrinks about tenfold; a hundredfold beyond the first mebibyte is an attack. */
const ratioMax = 100;
const ratioFreeBytes = 1_048_576;
const chunkSizeMin = 16_384;
const chunkSizeMax = 1_048_576;
/** zlib asks for room once more when the output ends exactly where its buffer does. */
const chunkSpare = 64;

export function inflate(
  body: Uint8Array,
  encoding: string,
  limits: InflateLimits,
): Result<Uint8Array> {
  const { budget, bytesMax } = limits;
  if (encoding === "identity" || encoding === "") {
    if (body.length <= bytesMax) return ok(body);
    return refuse("OTLP_TOO_LARGE", `request of ${body.length} bytes exceeds ${bytesMax}`);
  }
  if (encoding !== "gzip") {
    return refuse("UNSUPPORTED", `encoding ${encoding} is not served here, use gzip or identity`);
  }
  const outputMax = Math.min(bytesMax, ratioFreeBytes + body.length * ratioMax);
  const granted = Math.min(outputMax, budget.bytesMax - budget.used);
  if (granted <= 0 || !budget.take(granted)) return overloaded();
  try {
    return ok(gunzipSync(body, { maxOutputLength: granted, chunkSize: chunkSizeOf(body) }));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "ERR_BUFFER_TOO_LARGE") {
      return refuse("OTLP_INVALID", `gzip does not inflate: ${(cause as Error).message}`);
    }
    if (granted < outputMax) return overloaded();
    return refuse("OTLP_TOO_LARGE", `request inflates to more than ${outputMax} bytes`);
  } finally {
    budget.give(granted);
  }
}

function overloaded(): Result<never> {
  return refuse("OVERLOADED", "too many bytes in flight, try again later");
}

/**
 * One chunk for the whole output, so that nothing is joined, which took a third of the time. The
 * trailer's size is the sender's word, so it is only a hint, within bounds.
 */
function chunkSizeOf(body: Uint8Array): number {
  if (body.length < 4) return chunkSizeMin;
  const hint = new DataView(body.buffer, body.byteOffset).getUint32(body.length - 4, true);
  return Math.max(chunkSizeMin, Math.min(hint + chunkSpare, chunkSizeMax));
}
