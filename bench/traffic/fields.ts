/** Whole protobuf fields of a span, as bytes; those of few values are made once. */
const utf8 = new TextEncoder();
const known = new Map<string, Uint8Array>();
const knownMax = 100_000;

export type AttributeValue = string | number;

/** `attributes` of a span (field 9) or of a resource (field 1). */
export function attribute(field: number, name: string, value: AttributeValue): Uint8Array {
  const text = `${field} ${name} ${typeof value} ${value}`;
  const found = known.get(text);
  if (found !== undefined) return found;
  const encoded = message(field, textField(1, name), message(2, scalar(value)));
  if (known.size < knownMax) known.set(text, encoded);
  return encoded;
}

export function textField(field: number, text: string): Uint8Array {
  return message(field, utf8.encode(text));
}

/** A varint field with a value below 2^32. */
export function integerField(field: number, value: number): Uint8Array {
  return Uint8Array.from([field << 3, ...varint(value)]);
}

/** A field of any parts behind their length. */
export function message(field: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const size = parts.reduce((sum, part) => sum + part.length, 0);
  const head = [...varint(field * 8 + 2), ...varint(size)];
  const out = new Uint8Array(head.length + size);
  out.set(head);
  let at = head.length;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

export function concatenated(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

function scalar(value: AttributeValue): Uint8Array {
  return typeof value === "string" ? textField(1, value) : integerField(3, value);
}

function varint(value: number): number[] {
  const out: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) out.push((rest % 0x80) | 0x80);
  out.push(rest);
  return out;
}
