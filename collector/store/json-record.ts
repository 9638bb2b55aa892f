/** Records that are JSON objects. */

/**
 * What a record of which the checksum holds says; undefined when it is no object at all, because
 * the file is another one than its name says.
 */
export function parseRecord(payload: Uint8Array): object | undefined {
  if (payload[0] !== 0x7b) return undefined;
  const { buffer, byteOffset, length } = payload;
  return JSON.parse(Buffer.from(buffer, byteOffset, length).toString("utf8")) as object;
}
