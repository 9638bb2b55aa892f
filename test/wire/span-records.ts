/** The product's reader, asked for records: the one place where these tests touch it. */
import { textOf, utf8Of } from "../../wire/any-value.ts";
import { type AttributeSlots, createAttributeSlots } from "../../wire/attribute-slots.ts";
import { visitSpans } from "../../wire/otlp-reader.ts";
import { type AttributeRanges, linkWordCount, type SpanView } from "../../wire/span-view.ts";
import { type TraceLimits, validateTraces } from "../../wire/validate-traces.ts";
import type { SpanRecord } from "./reference-reader.ts";

export interface Read {
  readonly spans: SpanRecord[];
  readonly rejected: number;
  readonly reason: string;
  readonly endsBeforeStart: number;
}

/** What the product reads, or the message of its refusal. */
export function readProduct(
  request: Uint8Array,
  wanted: readonly string[],
  limits?: TraceLimits,
): Read | string {
  const valid = validateTraces(request, limits);
  if (!valid.ok) return `${valid.error.code}: ${valid.error.message}`;
  const slots = createAttributeSlots(wanted);
  const spans: SpanRecord[] = [];
  const counts = visitSpans(request, slots, (span) => spans.push(recordOf(span, slots)));
  if (counts.visited !== spans.length) throw new Error("visited is not what was visited");
  if (counts.visited + counts.rejected !== valid.value.spans) throw new Error("spans are lost");
  return {
    spans,
    rejected: counts.rejected,
    reason: counts.rejectedReason,
    endsBeforeStart: counts.endsBeforeStart,
  };
}

export function recordOf(span: SpanView, slots: AttributeSlots): SpanRecord {
  const { bytes } = span;
  const words = [span.traceWord0, span.traceWord1, span.traceWord2, span.traceWord3];
  const parent = wordsHex([span.parentIdHigh, span.parentIdLow]);
  const links = Array.from({ length: span.linkCount }, (_, at) => {
    const link = [...span.linkWords.subarray(at * linkWordCount, (at + 1) * linkWordCount)];
    return `${wordsHex(link.slice(0, 4))}/${wordsHex(link.slice(4))}`;
  });
  return {
    traceId: wordsHex(words),
    spanId: wordsHex([span.spanIdHigh, span.spanIdLow]),
    parentSpanId: parent === "0".repeat(16) ? "" : parent,
    name: utf8Of(bytes, span.nameStart, span.nameEnd),
    traceState: utf8Of(bytes, span.traceStateStart, span.traceStateEnd),
    kind: span.kind,
    statusCode: span.statusCode,
    flags: span.flags,
    startNs: (BigInt(span.startHigh) << 32n) | BigInt(span.startLow),
    endNs: (BigInt(span.endHigh) << 32n) | BigInt(span.endLow),
    attributes: attributesOf(bytes, span.attributes, slots),
    resource: attributesOf(bytes, span.resourceAttributes, slots),
    links,
    resourceIndex: span.resourceIndex,
  };
}

function attributesOf(
  bytes: Uint8Array,
  ranges: AttributeRanges,
  slots: AttributeSlots,
): Record<string, string> {
  const found: [string, string][] = [];
  for (const [slot, name] of slots.names.entries()) {
    const start = ranges.starts[slot] as number;
    if (start !== 0) found.push([name, textOf(bytes, start, ranges.ends[slot] as number)]);
  }
  return Object.fromEntries(found.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function wordsHex(words: readonly number[]): string {
  return words.map((word) => word.toString(16).padStart(8, "0")).join("");
}
