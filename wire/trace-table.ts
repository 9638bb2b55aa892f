/**
 * What the reader found in one ExportTraceServiceRequest: numbers and places in the request's
 * bytes, no strings. One table serves request after request, so reading allocates next to nothing.
 *
 *   spans               Int32Array [spanCount + 1, 16]  a row a span, by the columns below
 *   attributes          Int32Array [count, 3]           slot, and the range of its AnyValue
 *   links               Int32Array [linkCount, 2]       places of the trace id and the span id
 *   resources           Int32Array [resourceCount, 4]   a row for each ResourceSpans
 *   resourceAttributes  Int32Array [count, 3]
 *
 * Attributes are the wanted ones, in the order of the bytes; of two with one name the last counts,
 * as map semantics have it. A place of 0 means absent. A span is spoken of by where its row begins.
 */
export interface AttributeRows {
  words: Int32Array;
  count: number;
}

export interface TraceTable {
  bytes: Uint8Array;
  view: DataView;
  spans: Int32Array;
  spanCount: number;
  readonly attributes: AttributeRows;
  links: Int32Array;
  linkCount: number;
  resources: Int32Array;
  resourceCount: number;
  readonly resourceAttributes: AttributeRows;
  /** Spans without a row, as their ids are invalid. */
  rejected: number;
  /** Why the first of them was; "" when none was. */
  rejectedReason: string;
}

export const spanWords = 16;
/** Where the 16 bytes of the trace id and the 8 of the others are; no parent is 0. */
export const traceIdAt = 0;
export const spanIdAt = 1;
export const parentIdAt = 2;
export const startAt = 3;
export const endAt = 4;
/** 0 unspecified, 1 internal, 2 server, 3 client, 4 producer, 5 consumer; unknown ones are 0. */
export const kindColumn = 5;
/** 0 unset, 1 ok, 2 error; unknown ones are 0. */
export const statusColumn = 6;
/** 32 bits, signed. */
export const flagsColumn = 7;
/** Ranges of bytes: the start, and the end in the column behind it. */
export const nameRange = 8;
export const traceStateRange = 10;
/** Rows of `attributes` and `links` begin here, and end where those of the next span begin. */
export const firstAttribute = 12;
export const firstLink = 13;
/** Which ResourceSpans of the request, from 0. */
export const resourceColumn = 14;

export const attributeWords = 3;
export const linkWords = 2;
export const resourceWords = 4;
/** The range of its attributes, as rows, and of its message, as bytes. */
export const resourceAttributeRange = 0;
export const resourceRange = 2;

const wordsInitial = 4_096;
const noBytes = new Uint8Array(0);

export function createTraceTable(): TraceTable {
  return {
    bytes: noBytes,
    view: new DataView(noBytes.buffer),
    spans: new Int32Array(wordsInitial),
    spanCount: 0,
    attributes: { words: new Int32Array(wordsInitial), count: 0 },
    links: new Int32Array(wordsInitial),
    linkCount: 0,
    resources: new Int32Array(wordsInitial),
    resourceCount: 0,
    resourceAttributes: { words: new Int32Array(wordsInitial), count: 0 },
    rejected: 0,
    rejectedReason: "",
  };
}

/** Makes the table that of another request. */
export function clearTraceTable(table: TraceTable, bytes: Uint8Array): void {
  table.bytes = bytes;
  table.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  table.spanCount = 0;
  table.attributes.count = 0;
  table.linkCount = 0;
  table.resourceCount = 0;
  table.resourceAttributes.count = 0;
  table.rejected = 0;
  table.rejectedReason = "";
}

/** Copies the words into more room. The limits of a request bound how many there can be. */
export function grown(words: Int32Array): Int32Array {
  const into = new Int32Array(words.length * 2);
  into.set(words);
  return into;
}

/** Makes room for so many more. */
export function reserveAttributes(rows: AttributeRows, count: number): void {
  while ((rows.count + count) * attributeWords > rows.words.length) rows.words = grown(rows.words);
}

export function addAttribute(rows: AttributeRows, slot: number, start: number, end: number): void {
  const at = rows.count * attributeWords;
  if (at + attributeWords > rows.words.length) rows.words = grown(rows.words);
  const { words } = rows;
  words[at] = slot;
  words[at + 1] = start;
  words[at + 2] = end;
  rows.count++;
}

/** Where the last row in [from, to) of this slot begins; -1 when there is none. */
export function findSlot(rows: AttributeRows, from: number, to: number, slot: number): number {
  for (let at = (to - 1) * attributeWords; at >= from * attributeWords; at -= attributeWords) {
    if (rows.words[at] === slot) return at;
  }
  return -1;
}

/** An unsigned word of eight little-endian bytes; 0 for a place of 0. */
function timeWord(table: TraceTable, at: number, offset: number): number {
  return at === 0 ? 0 : table.view.getUint32(at + offset, true);
}

/** Nanoseconds from start to end; 0 for a span that ends before it starts. Exact below 2^53. */
export function durationNs(table: TraceTable, span: number): number {
  const start = table.spans[span + startAt] as number;
  const end = table.spans[span + endAt] as number;
  const high = timeWord(table, end, 4) - timeWord(table, start, 4);
  const ns = high * 2 ** 32 + (timeWord(table, end, 0) - timeWord(table, start, 0));
  return ns > 0 ? ns : 0;
}

export function startMs(table: TraceTable, span: number): number {
  return epochMs(table, table.spans[span + startAt] as number);
}

export function endMs(table: TraceTable, span: number): number {
  return epochMs(table, table.spans[span + endAt] as number);
}

/** Whole milliseconds, rounded down exactly: 2^32 = 4294 * 10^6 + 967296. */
function epochMs(table: TraceTable, at: number): number {
  const high = timeWord(table, at, 4);
  return high * 4294 + Math.floor((high * 967_296 + timeWord(table, at, 0)) / 1e6);
}
