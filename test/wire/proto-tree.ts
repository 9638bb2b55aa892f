/** Protobuf messages written by hand, field by field, in any order and as wrong as a test wants. */
export type Value =
  | { readonly varint: bigint; readonly padding?: number }
  | { readonly fixed64: bigint }
  | { readonly fixed32: number }
  | { readonly bytes: Uint8Array }
  | { readonly text: string }
  | { readonly message: readonly Field[] }
  | { readonly group: readonly Field[] }
  | { readonly raw: Uint8Array; readonly wire: number };

export interface Field {
  readonly field: number;
  readonly value: Value;
}

const utf8 = new TextEncoder();

export const varint = (field: number, value: number | bigint, padding = 0): Field => ({
  field,
  value: { varint: BigInt(value), padding },
});
export const fixed64 = (field: number, value: bigint): Field => ({
  field,
  value: { fixed64: value },
});
export const fixed32 = (field: number, value: number): Field => ({
  field,
  value: { fixed32: value },
});
export const bytes = (field: number, value: Uint8Array): Field => ({
  field,
  value: { bytes: value },
});
export const text = (field: number, value: string): Field => ({ field, value: { text: value } });
export const message = (field: number, ...fields: readonly Field[]): Field => ({
  field,
  value: { message: fields },
});
export const group = (field: number, ...fields: readonly Field[]): Field => ({
  field,
  value: { group: fields },
});
export const raw = (field: number, wire: number, value: readonly number[]): Field => ({
  field,
  value: { raw: Uint8Array.from(value), wire },
});

export function hex(digits: string): Uint8Array {
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

export function hexOf(value: Uint8Array): string {
  return Array.from(value, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function encodeFields(fields: readonly Field[]): Uint8Array {
  return joined(fields.map(encodeField));
}

export function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

export function encodeVarint(value: bigint, padding = 0): Uint8Array {
  const out: number[] = [];
  let rest = BigInt.asUintN(70, value < 0n ? BigInt.asUintN(64, value) : value);
  while (rest >= 0x80n) {
    out.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  out.push(Number(rest));
  for (let more = 0; more < padding; more++) {
    out[out.length - 1] = (out.at(-1) as number) | 0x80;
    out.push(0);
  }
  return Uint8Array.from(out);
}

function encodeField({ field, value }: Field): Uint8Array {
  const tagged = (wire: number, ...parts: readonly Uint8Array[]): Uint8Array =>
    joined([encodeVarint(BigInt(field * 8 + wire)), ...parts]);
  const sized = (content: Uint8Array): Uint8Array =>
    tagged(2, encodeVarint(BigInt(content.length)), content);
  if ("varint" in value) return tagged(0, encodeVarint(value.varint, value.padding));
  if ("fixed64" in value) return tagged(1, littleEndian(value.fixed64, 8));
  if ("fixed32" in value) return tagged(5, littleEndian(BigInt(value.fixed32), 4));
  if ("bytes" in value) return sized(value.bytes);
  if ("text" in value) return sized(utf8.encode(value.text));
  if ("message" in value) return sized(encodeFields(value.message));
  if ("raw" in value) return tagged(value.wire, value.raw);
  return tagged(3, encodeFields(value.group), encodeVarint(BigInt(field * 8 + 4)));
}

function littleEndian(value: bigint, size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, at) => Number((value >> BigInt(8 * at)) & 0xffn));
}
