/**
 * An OTLP trace request as bytes that can be sent again and again: `stamp` gives its spans new ids
 * and new times in place, keeping who is whose parent. Ids and times have fixed sizes, so nothing
 * else moves.
 */
export interface SpanPlan {
  /** Four words of the trace id, two of the span's, two of the parent's (0, 0 for none). */
  readonly trace: readonly [number, number, number, number];
  readonly id: readonly [number, number];
  readonly parent: readonly [number, number];
  /** Nanoseconds after the base time the request is stamped with. */
  readonly startNs: number;
  readonly endNs: number;
  /** Everything but ids and times: whole fields, in order. */
  readonly fields: readonly Uint8Array[];
}

export interface ResourcePlan {
  /** The resource's message. */
  readonly resource: Uint8Array;
  readonly scope: Uint8Array;
  readonly spans: readonly SpanPlan[];
}

export interface Template {
  readonly bytes: Uint8Array;
  readonly spans: number;
  /** Gives every span a new id and times from `baseMs` on; each salt makes other ids. */
  stamp(salt: number, baseMs: number): void;
}

const parentFieldSize = 10;
/** trace id 18, span id 10, start and end 9 each. */
const fixedFieldsSize = 46;
const wordRange = 2 ** 32;

export function createTemplate(resources: readonly ResourcePlan[]): Template {
  const sizes = resources.map(sizesOf);
  const total = sizes.reduce((sum, { resource }) => sum + withHeader(resource), 0);
  const bytes = new Uint8Array(total);
  const writer = { bytes, view: new DataView(bytes.buffer), at: 0 };
  const places: Place[] = [];
  for (const [index, plan] of resources.entries()) {
    writeResource(writer, plan, sizes[index] as Sizes, places);
  }
  return {
    bytes,
    spans: places.length,
    stamp(salt, baseMs) {
      const baseNs = BigInt(baseMs) * 1_000_000n;
      const high = Number(baseNs >> 32n);
      const low = Number(baseNs & 0xffffffffn);
      for (const place of places) stampSpan(writer.view, place, { salt, high, low });
    },
  };
}

interface Writer {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  at: number;
}

interface Sizes {
  readonly resource: number;
  readonly scope: number;
  readonly spans: readonly number[];
}

/** Where a span's last id words and its times are; -1 when it has no parent. */
interface Place {
  readonly plan: SpanPlan;
  readonly trace: number;
  readonly id: number;
  readonly parent: number;
  readonly times: number;
}

function stampSpan(
  view: DataView,
  { plan, trace, id, parent, times }: Place,
  { salt, high, low }: { salt: number; high: number; low: number },
): void {
  view.setUint32(trace, (plan.trace[3] ^ salt) >>> 0);
  view.setUint32(id, (plan.id[1] ^ salt) >>> 0);
  if (parent >= 0) view.setUint32(parent, (plan.parent[1] ^ salt) >>> 0);
  setTime(view, times, high, low + plan.startNs);
  setTime(view, times + 9, high, low + plan.endNs);
}

function setTime(view: DataView, at: number, high: number, low: number): void {
  view.setUint32(at, low % wordRange, true);
  view.setUint32(at + 4, high + Math.floor(low / wordRange), true);
}

function sizesOf({ resource, scope, spans }: ResourcePlan): Sizes {
  const spanSizes = spans.map(
    ({ parent, fields }) =>
      fixedFieldsSize +
      (parent[0] === 0 && parent[1] === 0 ? 0 : parentFieldSize) +
      fields.reduce((sum, field) => sum + field.length, 0),
  );
  const scopeSize = spanSizes.reduce(
    (sum, size) => sum + withHeader(size),
    withHeader(scope.length),
  );
  return {
    spans: spanSizes,
    scope: scopeSize,
    resource: withHeader(resource.length) + withHeader(scopeSize),
  };
}

function withHeader(size: number): number {
  return size + 1 + varintSize(size);
}

function varintSize(value: number): number {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x20_0000 ? 3 : 4;
}

function writeResource(writer: Writer, plan: ResourcePlan, sizes: Sizes, places: Place[]): void {
  writeHeader(writer, 0x0a, sizes.resource);
  writeHeader(writer, 0x0a, plan.resource.length);
  writeBytes(writer, plan.resource);
  writeHeader(writer, 0x12, sizes.scope);
  writeHeader(writer, 0x0a, plan.scope.length);
  writeBytes(writer, plan.scope);
  for (const [index, span] of plan.spans.entries()) {
    writeHeader(writer, 0x12, sizes.spans[index] as number);
    places.push(writeSpan(writer, span));
  }
}

function writeSpan(writer: Writer, plan: SpanPlan): Place {
  const { view } = writer;
  writeHeader(writer, 0x0a, 16);
  const trace = writer.at + 12;
  for (const word of plan.trace) writeWord(writer, word);
  writeHeader(writer, 0x12, 8);
  const id = writer.at + 4;
  for (const word of plan.id) writeWord(writer, word);
  let parent = -1;
  if (plan.parent[0] !== 0 || plan.parent[1] !== 0) {
    writeHeader(writer, 0x22, 8);
    parent = writer.at + 4;
    for (const word of plan.parent) writeWord(writer, word);
  }
  view.setUint8(writer.at, 0x39);
  view.setUint8(writer.at + 9, 0x41);
  const times = writer.at + 1;
  writer.at += 18;
  for (const field of plan.fields) writeBytes(writer, field);
  return { plan, trace, id, parent, times };
}

function writeWord(writer: Writer, word: number): void {
  writer.view.setUint32(writer.at, word);
  writer.at += 4;
}

function writeHeader(writer: Writer, tag: number, size: number): void {
  writer.bytes[writer.at++] = tag;
  let rest = size;
  for (; rest >= 0x80; rest >>>= 7) writer.bytes[writer.at++] = (rest & 0x7f) | 0x80;
  writer.bytes[writer.at++] = rest;
}

function writeBytes(writer: Writer, bytes: Uint8Array): void {
  writer.bytes.set(bytes, writer.at);
  writer.at += bytes.length;
}
