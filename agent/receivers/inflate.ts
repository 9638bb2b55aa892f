/**
 * Content codings of request bodies: identity and gzip, with a hard bound on what comes out. What a
 * gzip trailer says about its size is never read. Inflating is synchronous, so at one time at most
 * one body is inflated beyond the bytes in flight.
 */
import { gunzipSync } from "node:zlib";
import { ok, type Result, refuse } from "../../base/result.ts";

/** Real telemetry shrinks about tenfold; a hundredfold beyond the first mebibyte is an attack. */
const ratioMax = 100;
const ratioFreeBytes = 1_048_576;

export function inflate(body: Uint8Array, encoding: string, bytesMax: number): Result<Uint8Array> {
  if (encoding === "identity" || encoding === "") {
    if (body.length <= bytesMax) return ok(body);
    return refuse("OTLP_TOO_LARGE", `request of ${body.length} bytes exceeds ${bytesMax}`);
  }
  if (encoding !== "gzip") {
    return refuse("UNSUPPORTED", `encoding ${encoding} is not served here, use gzip or identity`);
  }
  const outputMax = Math.min(bytesMax, ratioFreeBytes + body.length * ratioMax);
  try {
    return ok(gunzipSync(body, { maxOutputLength: outputMax }));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE") {
      return refuse("OTLP_TOO_LARGE", `request inflates to more than ${outputMax} bytes`);
    }
    return refuse("OTLP_INVALID", `gzip does not inflate: ${(cause as Error).message}`);
  }
}
