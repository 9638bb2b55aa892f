/**
 * Values of dimensions, kept short: at most 256 bytes of UTF-8. A longer one is cut and ends in a
 * hash of the whole, so that two long values stay two values.
 */
const valueBytesMax = 256;
const suffixBytes = 9;
/** No UTF-16 unit needs more than three bytes of UTF-8. */
const bytesPerUnitMax = 3;

const utf8 = new TextEncoder();
const lossy = new TextDecoder();

export function boundedValue(value: string): string {
  if (value.length * bytesPerUnitMax <= valueBytesMax) return value;
  const bytes = utf8.encode(value);
  if (bytes.length <= valueBytesMax) return value;
  let end = valueBytesMax - suffixBytes;
  while (((bytes[end] as number) & 0xc0) === 0x80) end--;
  return `${lossy.decode(bytes.subarray(0, end))}~${hash32(bytes).toString(16).padStart(8, "0")}`;
}

/** FNV-1a, finished with one multiplication: short, and the same on every agent. */
function hash32(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return Math.imul(hash ^ (hash >>> 15), 0x85ebca6b) >>> 0;
}
