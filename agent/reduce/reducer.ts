/**
 * From the bytes of one OTLP request to the cells of its windows and the memory of its spans. A
 * request that does not decode changes nothing; a span that cannot be taken is counted, and the
 * others are.
 */
import type { Meter } from "../../base/meter.ts";
import { ok, type Result } from "../../base/result.ts";
import { bucketIndex } from "../../sketch/histogram.ts";
import { createSipKey, type SipKey, sipHash24 } from "../../sketch/sip-hash.ts";
import { readTraces } from "../../wire/read-traces.ts";
import {
  createTraceTable,
  endMs,
  flagsColumn,
  resourceColumn,
  resourceRange,
  resourceWords,
  spanWords,
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
import {
  type CellLog,
  customerEntry,
  failedEntry,
  slowEntry,
  spanEntry,
} from "../windows/cell-log.ts";
import {
  addDemand,
  admitKey,
  cellNumberOf,
  countFolded,
  type Segment,
} from "../windows/segment.ts";
import {
  newestEndMs,
  oldestEndMs,
  refusalOf,
  type Windows,
  windowLengthMs,
  windowStartOf,
} from "../windows/windows.ts";
import { adjustedCountOf } from "./adjusted-count.ts";
import { type CustomerHasher, createCustomerHasher } from "./customer.ts";
import {
  type Ingested,
  reducerMetrics,
  rejectionMessage,
  rejectionReasons,
} from "./reducer-metrics.ts";
import { answerRetry, createRetryMemory, type RetryMemory } from "./retry-memory.ts";
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
import { linkSpan, readIds } from "./span-ids.ts";
import { SpanTimes, spanTimes } from "./span-times.ts";

export interface ReducerOptions {
  readonly windows: Windows;
  readonly memory: SpanSink;
  readonly meter: Meter;
  readonly dimensions: readonly string[];
  readonly customerAttributes: readonly string[];
  readonly keysMax: number;
  readonly hostName: string;
  /** 16 bytes all agents of a tenant share, for customers. */
  readonly hashKey: Uint8Array;
  /** 16 bytes of this process alone, for its tables. */
  readonly tableKey: Uint8Array;
  /** Time zero of the memory; whole seconds. */
  readonly epochMs: number;
  readonly retryMs: number;
}

const nsPerMs = 1_000_000;
const consumerKind = 5;

export class Reducer {
  readonly #options: ReducerOptions;
  readonly #shapes: ShapeTable;
  readonly #customers: CustomerHasher;
  readonly #tableKey: SipKey;
  readonly #metrics;
  #times: SpanTimes;
  #correctionMs = 0;
  readonly #cellLog: CellLog;
  readonly #customer = new Uint32Array(2);
  readonly #resource = new Uint32Array(2);
  readonly #row: RememberedSpan;
  readonly #retries: RetryMemory;
  readonly #table = createTraceTable();
  #resourceIndex = -1;
  #segment: Segment | undefined;
  #isLate = false;
  /** Ends in nanoseconds since the epoch, of which it is known that `#segment` takes them. */
  #segmentFromNs = 0;
  #segmentToNs = Number.NEGATIVE_INFINITY;
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
    this.#times = new SpanTimes(options.epochMs);
    this.#retries = createRetryMemory(options);
    this.#cellLog = options.windows.cellLog;
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
    if (this.#retries.isRetry(table, nowMs)) return ok(answerRetry(table, read.value.spans));
    this.#nowMs = nowMs;
    this.#resourceIndex = -1;
    this.#segmentToNs = Number.NEGATIVE_INFINITY;
    this.#refused = { past: 0, future: 0, crowded: 0 };
    this.#times.read(table);
    for (let index = 0; index < table.spanCount; index++) {
      this.#add(index * spanWords, index * spanTimes);
    }
    this.#options.memory.linkNew();
    this.#segment = undefined;
    const refused = { ...this.#refused, invalid: table.rejected };
    const rejected = refused.invalid + refused.past + refused.future + refused.crowded;
    const accepted = read.value.spans - rejected;
    this.#metrics.received.add(read.value.spans);
    this.#metrics.accepted.add(accepted);
    for (const reason of rejectionReasons) this.#metrics.rejected[reason].add(refused[reason]);
    this.#rejected += rejected;
    const message = rejectionMessage(refused, table.rejectedReason);
    return ok({ accepted, rejected, message });
  }

  /** Adds so much to the times of all spans that come. */
  correct(correctionMs: number): void {
    this.#correctionMs = correctionMs;
    this.#times = new SpanTimes(this.#options.epochMs - correctionMs);
  }

  /** Spans rejected since this was last asked. */
  takeRejected(): number {
    const rejected = this.#rejected;
    this.#rejected = 0;
    return rejected;
  }

  #add(span: number, at: number): void {
    const end = this.#times.times[at] as number;
    const ns = this.#times.times[at + 1] as number;
    const isInSegment = end >= this.#segmentFromNs && end < this.#segmentToNs;
    if (!isInSegment && !this.#enterSegment(endMs(this.#table, span) + this.#correctionMs)) return;
    const segment = this.#segment as Segment;
    const { facts } = this.#shapes;
    const place = this.#placeOf(span) * factWords;
    if (facts[place + segmentFact] !== segment.id) this.#file(place / factWords, segment);
    const slow = bucketIndex(ns) > (facts[place + slowBucketFact] as number);
    const flags = (facts[place + flagsFact] as number) | (slow ? slowFlag : 0);
    this.#count(segment, flags, facts[place + foldedFact] as number);
    const { entry } = this.#cellLog;
    entry.cell = facts[place + cellFact] as number;
    entry.ns = ns;
    this.#note(span, flags);
    const row = this.#row;
    row.key = facts[place + keyFact] as number;
    row.segment = segment.id;
    row.startNs = end - ns;
    row.durationNs = ns;
    this.#remember(span, flags);
  }

  /** Finds the segment of a span that is not in the last one's; false when it is refused. */
  #enterSegment(end: number): boolean {
    this.#segmentToNs = Number.NEGATIVE_INFINITY;
    const nowMs = this.#nowMs;
    const refusal = refusalOf(end, nowMs);
    if (refusal !== undefined) {
      this.#refused[refusal]++;
      return false;
    }
    const startMs = windowStartOf(end);
    this.#segment = this.#options.windows.segmentAt(startMs);
    if (this.#segment === undefined) {
      this.#refused.crowded++;
      return false;
    }
    this.#isLate = this.#options.windows.isLate(startMs);
    // Whole milliseconds, so an end is within these exactly when its millisecond is.
    const { epochMs } = this.#options;
    const fromMs = Math.max(startMs, oldestEndMs(nowMs));
    const toMs = Math.min(startMs + windowLengthMs, newestEndMs(nowMs) + 1);
    this.#segmentFromNs = (fromMs - epochMs) * nsPerMs;
    this.#segmentToNs = (toMs - epochMs) * nsPerMs;
    return true;
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
    if (shape.isLocal) segment.localServices.add(shape.key[0] as string);
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
    if (this.#isLate) {
      segment.late++;
      this.#metrics.late.add();
    }
    if (folded === 0) return;
    this.#metrics.folded.add();
    countFolded(segment, folded, 1);
  }

  #note(span: number, flags: number): void {
    const { entry } = this.#cellLog;
    const isKnown = this.#customers.hash(this.#table, span, this.#customer);
    entry.flags =
      spanEntry |
      ((flags & failedFlag) !== 0 ? failedEntry : 0) |
      ((flags & slowFlag) !== 0 ? slowEntry : 0) |
      (isKnown ? customerEntry : 0);
    entry.customerLow = this.#customer[0] as number;
    entry.customerHigh = this.#customer[1] as number;
    entry.adjusted = adjustedCountOf(this.#table, span);
    this.#cellLog.push();
  }

  #remember(span: number, flags: number): void {
    const table = this.#table;
    const { memory } = this.#options;
    const row = this.#row;
    readIds(table, span, row);
    row.process = (this.#resource[0] as number) | 0;
    const isFar = isRemote(table.spans[span + flagsColumn] as number);
    row.flags = flags | (isFar ? remoteFlag : 0);
    const outcome = memory.remember(row);
    if (outcome === "repeated") this.#metrics.repeated.add();
    else if (outcome === "full") this.#metrics.unremembered.add();
    else if ((flags & kindMask) === consumerKind) {
      this.#metrics.linksDropped.add(linkSpan(table, span, memory));
    }
  }
}
