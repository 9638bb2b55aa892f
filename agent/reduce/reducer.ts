/**
 * From the bytes of one OTLP request to the cells of its windows and the memory of its spans. A
 * request that does not decode changes nothing; a span that cannot be taken is counted, and the
 * others are.
 */
import type { Meter } from "../../base/meter.ts";
import { ok, type Result } from "../../base/result.ts";
import { adjustedUnit } from "../../sketch/cell.ts";
import { bucketIndex } from "../../sketch/histogram.ts";
import { createSipKey, type SipKey, sipHash24 } from "../../sketch/sip-hash.ts";
import { utf8Of } from "../../wire/any-value.ts";
import { readTraces } from "../../wire/read-traces.ts";
import {
  createTraceTable,
  durationNs,
  endMs,
  endNsSince,
  firstLink,
  flagsColumn,
  hasStart,
  linkWords,
  parentIdAt,
  resourceColumn,
  resourceRange,
  resourceWords,
  spanIdAt,
  spanWords,
  traceIdAt,
  traceStateRange,
} from "../../wire/trace-table.ts";
import {
  emptyRow,
  failedFlag,
  kindMask,
  type RememberedSpan,
  remoteFlag,
  slowFlag,
} from "../pairing/remembered-span.ts";
import type { SpanSink } from "../pairing/span-sink.ts";
import { traceHash } from "../pairing/trace-hash.ts";
import { customerEntry, failedEntry, slowEntry, spanEntry } from "../windows/cell-log.ts";
import { addDemand, admitKey, cellNumberOf, type Segment } from "../windows/segment.ts";
import { refusalOf, type Windows, windowStartOf } from "../windows/windows.ts";
import { adjustedCount } from "./adjusted-count.ts";
import { type CustomerHasher, createCustomerHasher } from "./customer.ts";
import { reducerMetrics, rejectionMessage, rejectionReasons } from "./reducer-metrics.ts";
import {
  cellFact,
  factWords,
  flagsFact,
  foldedFact,
  keyFact,
  segmentFact,
  slowBucketFact,
} from "./shape-store.ts";
import { isRemote, ShapeTable } from "./shape-table.ts";

export interface Ingested {
  readonly accepted: number;
  readonly rejected: number;
  /** Why spans were rejected, for the sender; "" when none were. */
  readonly message: string;
}

export interface ReducerOptions {
  readonly windows: Windows;
  readonly memory: SpanSink;
  readonly meter: Meter;
  readonly dimensions: readonly string[];
  readonly customerAttributes: readonly string[];
  /** 16 bytes all agents of a tenant share, for customers. */
  readonly hashKey: Uint8Array;
  /** 16 bytes of this process alone, for its tables. */
  readonly tableKey: Uint8Array;
  /** Time zero of the memory; whole seconds. */
  readonly epochMs: number;
}

/** A consumer that links to more messages is paired with the first ones. */
const linksPerSpanMax = 128;
const nsMax = Number.MAX_SAFE_INTEGER;
const consumerKind = 5;

export class Reducer {
  readonly #options: ReducerOptions;
  readonly #shapes: ShapeTable;
  readonly #customers: CustomerHasher;
  readonly #tableKey: SipKey;
  readonly #metrics;
  readonly #epochHigh: number;
  readonly #epochLow: number;
  readonly #customer = new Uint32Array(2);
  readonly #resource = new Uint32Array(2);
  readonly #row: RememberedSpan;
  readonly #table = createTraceTable();
  #resourceIndex = -1;
  #segment: Segment | undefined;
  #nowMs = 0;
  #refused = { past: 0, future: 0, crowded: 0 };
  /** Spans refused since the last `takeRejected`. */
  #rejected = 0;

  constructor(options: ReducerOptions) {
    this.#options = options;
    this.#tableKey = createSipKey(options.tableKey);
    const seed = new DataView(options.tableKey.buffer, options.tableKey.byteOffset).getInt32(0);
    this.#shapes = new ShapeTable({ ...options, seed });
    const key = createSipKey(options.hashKey);
    this.#customers = createCustomerHasher(this.#shapes.slots, options.customerAttributes, key);
    this.#metrics = reducerMetrics(options.meter);
    const epochNs = BigInt(options.epochMs) * 1_000_000n;
    this.#epochHigh = Number(epochNs >> 32n);
    this.#epochLow = Number(epochNs & 0xffffffffn);
    this.#row = emptyRow();
  }

  /** Reduces one ExportTraceServiceRequest in protobuf. */
  reduce(bytes: Uint8Array, nowMs: number): Result<Ingested> {
    const table = this.#table;
    const read = readTraces(bytes, this.#shapes.slots, table);
    this.#metrics.bytes.add(bytes.length);
    if (!read.ok) {
      this.#metrics.requestsRefused.add();
      return read;
    }
    this.#nowMs = nowMs;
    this.#resourceIndex = -1;
    this.#segment = undefined;
    this.#refused = { past: 0, future: 0, crowded: 0 };
    const end = table.spanCount * spanWords;
    for (let span = 0; span < end; span += spanWords) this.#add(span);
    this.#options.memory.linkNew();
    this.#segment = undefined;
    const refused = { ...this.#refused, invalid: table.rejected };
    const rejected = refused.invalid + refused.past + refused.future + refused.crowded;
    const accepted = read.value.spans - rejected;
    this.#metrics.accepted.add(accepted);
    for (const reason of rejectionReasons) this.#metrics.rejected[reason].add(refused[reason]);
    this.#rejected += rejected;
    const message = rejectionMessage(refused, table.rejectedReason);
    return ok({ accepted, rejected, message });
  }

  /** Spans rejected since this was last asked. */
  takeRejected(): number {
    const rejected = this.#rejected;
    this.#rejected = 0;
    return rejected;
  }

  #add(span: number): void {
    const table = this.#table;
    const end = endMs(table, span);
    const refusal = refusalOf(end, this.#nowMs);
    if (refusal !== undefined) {
      this.#refused[refusal]++;
      return;
    }
    const segment = this.#segmentOf(windowStartOf(end));
    if (segment === undefined) {
      this.#refused.crowded++;
      return;
    }
    const place = this.#placeOf(span);
    const { facts } = this.#shapes;
    const at = place * factWords;
    if (facts[at + segmentFact] !== segment.id) this.#file(place, segment);
    const ns = hasStart(table, span) ? Math.min(durationNs(table, span), nsMax) : 0;
    const slow = bucketIndex(ns) > (facts[at + slowBucketFact] as number);
    const flags = (facts[at + flagsFact] as number) | (slow ? slowFlag : 0);
    this.#count(segment, flags, facts[at + foldedFact] as number);
    this.#note(span, { cell: facts[at + cellFact] as number, flags, ns });
    this.#remember(span, { key: facts[at + keyFact] as number, segment: segment.id, flags, ns });
  }

  #segmentOf(windowStartMs: number): Segment | undefined {
    let segment = this.#segment;
    if (segment === undefined || segment.windowStartMs !== windowStartMs) {
      segment = this.#options.windows.segmentAt(windowStartMs);
      this.#segment = segment;
    }
    return segment;
  }

  #placeOf(span: number): number {
    const table = this.#table;
    const resource = table.spans[span + resourceColumn] as number;
    const hash = this.#resource;
    if (resource !== this.#resourceIndex) {
      this.#resourceIndex = resource;
      const at = resource * resourceWords + resourceRange;
      const end = table.resources[at + 1] as number;
      sipHash24(this.#tableKey, table.bytes, table.resources[at] as number, end, hash);
    }
    return this.#shapes.placeOf(table, span, hash[0] as number, hash[1] as number);
  }

  /** Finds the shape at a place its key and cell in another segment. */
  #file(place: number, segment: Segment): void {
    const shape = this.#shapes.shapeAt(place);
    const { facts } = this.#shapes;
    addDemand(segment, shape, this.#tableKey);
    const { key, folded } = admitKey(segment, shape.key);
    const at = place * factWords;
    facts[at + segmentFact] = segment.id;
    facts[at + keyFact] = key;
    facts[at + cellFact] = cellNumberOf(segment, key, this.#options.windows.cellLog);
    facts[at + foldedFact] = folded;
    facts[at + slowBucketFact] = segment.slowBuckets[key] as number;
  }

  #count(segment: Segment, flags: number, folded: number): void {
    segment.spans++;
    if ((flags & failedFlag) !== 0) segment.errors++;
    if (this.#options.windows.isLate(segment.windowStartMs)) {
      segment.late++;
      this.#metrics.late.add();
    }
    if (folded !== 0) this.#countFolded(segment, folded);
  }

  #countFolded(segment: Segment, folded: number): void {
    this.#metrics.folded.add();
    for (let dimension = 0; folded >> dimension !== 0; dimension++) {
      if ((folded & (1 << dimension)) !== 0) {
        segment.foldedSpans[dimension] = (segment.foldedSpans[dimension] as number) + 1;
      }
    }
  }

  #note(span: number, seen: { cell: number; flags: number; ns: number }): void {
    const { cellLog } = this.#options.windows;
    const { entry } = cellLog;
    const isKnown = this.#customers.hash(this.#table, span, this.#customer);
    entry.cell = seen.cell;
    entry.flags =
      spanEntry |
      ((seen.flags & failedFlag) !== 0 ? failedEntry : 0) |
      ((seen.flags & slowFlag) !== 0 ? slowEntry : 0) |
      (isKnown ? customerEntry : 0);
    entry.customerLow = this.#customer[0] as number;
    entry.customerHigh = this.#customer[1] as number;
    entry.ns = seen.ns;
    entry.adjusted = this.#adjustedOf(span);
    cellLog.push();
  }

  #remember(span: number, seen: { key: number; segment: number; flags: number; ns: number }): void {
    const { spans, view } = this.#table;
    const row = this.#row;
    const spanId = spans[span + spanIdAt] as number;
    const parentId = spans[span + parentIdAt] as number;
    const traceId = spans[span + traceIdAt] as number;
    row.idHigh = view.getUint32(spanId);
    row.idLow = view.getUint32(spanId + 4);
    row.parentHigh = parentId === 0 ? 0 : view.getUint32(parentId);
    row.parentLow = parentId === 0 ? 0 : view.getUint32(parentId + 4);
    row.trace = traceHash(view.getUint32(traceId + 8), view.getUint32(traceId + 12));
    row.process = this.#resource[0] as number;
    row.startNs = endNsSince(this.#table, span, this.#epochHigh, this.#epochLow) - seen.ns;
    row.durationNs = seen.ns;
    row.key = seen.key;
    row.segment = seen.segment;
    row.flags = seen.flags | (isRemote(spans[span + flagsColumn] as number) ? remoteFlag : 0);
    const outcome = this.#options.memory.remember(row);
    if (outcome === "repeated") this.#metrics.repeated.add();
    else if (outcome === "full") this.#metrics.unremembered.add();
    else if ((seen.flags & kindMask) === consumerKind) this.#link(span);
  }

  #link(span: number): void {
    const { spans, links, view } = this.#table;
    const first = spans[span + firstLink] as number;
    const linkCount = (spans[span + spanWords + firstLink] as number) - first;
    const count = Math.min(linkCount, linksPerSpanMax);
    let kept = 0;
    for (let at = first * linkWords; kept < count; kept++, at += linkWords) {
      const traceId = links[at] as number;
      const spanId = links[at + 1] as number;
      const trace = traceHash(view.getUint32(traceId + 8), view.getUint32(traceId + 12));
      const idHigh = view.getUint32(spanId);
      if (!this.#options.memory.link(idHigh, view.getUint32(spanId + 4), trace)) break;
    }
    if (kept < linkCount) this.#metrics.linksDropped.add(linkCount - kept);
  }

  #adjustedOf(span: number): number {
    const { spans, bytes } = this.#table;
    const start = spans[span + traceStateRange] as number;
    const end = spans[span + traceStateRange + 1] as number;
    return start === end ? adjustedUnit : adjustedCount(utf8Of(bytes, start, end), adjustedUnit);
  }
}
