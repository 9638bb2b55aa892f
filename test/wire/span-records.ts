/** The product's reader, asked for records: the one place where these tests touch it. */
import { textOf, utf8Of } from "../../wire/any-value.ts";
import { type AttributeSlots, createAttributeSlots } from "../../wire/attribute-slots.ts";
import { readTraces } from "../../wire/read-traces.ts";
import {
  type AttributeRows,
  attributeWords,
  createTraceTable,
  endAt,
  firstAttribute,
  firstLink,
  flagsColumn,
  kindColumn,
  linkWords,
  nameRange,
  parentIdAt,
  resourceAttributeRange,
  resourceColumn,
  resourceWords,
  spanIdAt,
  spanWords,
  startAt,
  statusColumn,
  type TraceTable,
  traceIdAt,
  traceStateRange,
} from "../../wire/trace-table.ts";
import { type TraceLimits, validateTraces } from "../../wire/validate-traces.ts";
import type { SpanRecord } from "./reference-reader.ts";

export interface Read {
  readonly spans: SpanRecord[];
  readonly rejected: number;
  readonly reason: string;
}

/** One for all, as in the product: what a request leaves behind must not show in the next. */
const table = createTraceTable();

/** What the product reads, or the message of its refusal. */
export function readProduct(
  request: Uint8Array,
  wanted: readonly string[],
  limits?: TraceLimits,
): Read | string {
  const slots = createAttributeSlots(wanted);
  const read = readTraces(request, slots, table, limits);
  const valid = validateTraces(request, limits);
  if (JSON.stringify(read) !== JSON.stringify(valid)) {
    throw new Error(`read ${JSON.stringify(read)} but validated ${JSON.stringify(valid)}`);
  }
  if (!read.ok) return `${read.error.code}: ${read.error.message}`;
  const spans = spansOf(table).map((span) => recordOf(table, span, slots));
  if (spans.length + table.rejected !== read.value.spans) throw new Error("spans are lost");
  return { spans, rejected: table.rejected, reason: table.rejectedReason };
}

/** Where the rows of a table's spans begin. */
export function spansOf(table: TraceTable): number[] {
  return Array.from({ length: table.spanCount }, (_, at) => at * spanWords);
}

function recordOf(table: TraceTable, span: number, slots: AttributeSlots): SpanRecord {
  const { bytes } = table;
  const column = (at: number): number => table.spans[span + at] as number;
  const text = (range: number): string => utf8Of(bytes, column(range), column(range + 1));
  const id = (at: number, size: number): string =>
    at === 0 ? "" : Buffer.from(bytes.subarray(at, at + size)).toString("hex");
  const time = (at: number): bigint => (at === 0 ? 0n : table.view.getBigUint64(at, true));
  const links = [...table.links.subarray(column(firstLink) * linkWords)].slice(
    0,
    (column(spanWords + firstLink) - column(firstLink)) * linkWords,
  );
  const resource = column(resourceColumn) * resourceWords + resourceAttributeRange;
  const { resources } = table;
  return {
    traceId: id(column(traceIdAt), 16),
    spanId: id(column(spanIdAt), 8),
    parentSpanId: id(column(parentIdAt), 8),
    name: text(nameRange),
    traceState: text(traceStateRange),
    kind: column(kindColumn),
    statusCode: column(statusColumn),
    flags: column(flagsColumn) >>> 0,
    startNs: time(column(startAt)),
    endNs: time(column(endAt)),
    attributes: attributesOf(table, slots, {
      rows: table.attributes,
      from: column(firstAttribute),
      to: column(spanWords + firstAttribute),
    }),
    resource: attributesOf(table, slots, {
      rows: table.resourceAttributes,
      from: resources[resource] as number,
      to: resources[resource + 1] as number,
    }),
    links: Array.from({ length: links.length / linkWords }, (_, at) => {
      const [trace = 0, span = 0] = links.slice(at * linkWords);
      return `${id(trace, 16)}/${id(span, 8)}`;
    }),
    resourceIndex: column(resourceColumn),
  };
}

function attributesOf(
  table: TraceTable,
  slots: AttributeSlots,
  range: { rows: AttributeRows; from: number; to: number },
): Record<string, string> {
  const found = new Map<string, string>();
  for (let row = range.from; row < range.to; row++) {
    const [slot = 0, start, end] = range.rows.words.subarray(row * attributeWords);
    found.set(slots.names[slot] as string, textOf(table.bytes, start as number, end as number));
  }
  return Object.fromEntries([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
}
