/**
 * CRC-32 as in ISO 3309 (polynomial 0xedb88320, reflected), eight bytes a step.
 *
 * Table `k` holds what a byte does to the sum after `k` more bytes, so eight look-ups that do not
 * wait for each other take the place of eight that do. Source: Kounavis and Berry 2005, "A
 * systematic approach to building high performance software-based CRC generators".
 */
const slices = 8;
const polynomial = 0xedb8_8320;
const tables = makeTables();

/** The sum of `bytes`, as an unsigned 32-bit integer. */
export function crc32(bytes: Uint8Array): number {
  const table = tables;
  const end = bytes.length - (bytes.length % slices);
  let sum = -1;
  let at = 0;
  for (; at < end; at += slices) {
    const low =
      sum ^
      ((bytes[at] as number) |
        ((bytes[at + 1] as number) << 8) |
        ((bytes[at + 2] as number) << 16) |
        ((bytes[at + 3] as number) << 24));
    sum =
      (table[1792 + (low & 255)] as number) ^
      (table[1536 + ((low >>> 8) & 255)] as number) ^
      (table[1280 + ((low >>> 16) & 255)] as number) ^
      (table[1024 + (low >>> 24)] as number) ^
      (table[768 + (bytes[at + 4] as number)] as number) ^
      (table[512 + (bytes[at + 5] as number)] as number) ^
      (table[256 + (bytes[at + 6] as number)] as number) ^
      (table[bytes[at + 7] as number] as number);
  }
  for (; at < bytes.length; at++) {
    sum = (sum >>> 8) ^ (table[(sum ^ (bytes[at] as number)) & 255] as number);
  }
  return (sum ^ -1) >>> 0;
}

function makeTables(): Int32Array {
  const table = new Int32Array(slices * 256);
  for (let byte = 0; byte < 256; byte++) {
    let sum = byte;
    for (let bit = 0; bit < 8; bit++) sum = (sum >>> 1) ^ ((sum & 1) === 1 ? polynomial : 0);
    table[byte] = sum;
  }
  for (let at = 256; at < table.length; at++) {
    const before = table[at - 256] as number;
    table[at] = (before >>> 8) ^ (table[before & 255] as number);
  }
  return table;
}
