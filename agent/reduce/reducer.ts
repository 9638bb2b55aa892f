/**
 * From the bytes of one OTLP request to the cells of its windows and the memory of its spans. A
 * request that does not decode changes nothing; a span that cannot be taken is counted, and the
 * others are.
 */
import type { Meter } from "../../base/meter.ts";
import { ok, type Result } from "../../base/result.ts";
import { adjustedUnit, type Cell } from "../../sketch/cell.ts";
import { cellOf } from "../../sketch/cube.ts";
import { addHistogram, bucketIndex } from "../../sketch/histogram.ts";
import { addHll } from "../../sketch/hll.ts";
import { createSipKey, type SipKey, sipHash24 } from "../../sketch/sip-hash.ts";
import { utf8Of } from "../../wire/any-value.ts";
import { visitSpans } from "../../wire/otlp-reader.ts";
import { durationNs, endMs, linkWordCount, type SpanView } from "../../wire/span-view.ts";
import { validateTraces } from "../../wire/validate-traces.ts";
import {
  databaseFlag,
  failedFlag,
  type RememberedSpan,
  remoteFlag,
  type SpanMemory,
  slowFlag,
} from "../pairing/span-memory.ts";
import { traceHash } from "../pairing/trace-hash.ts";
import { addDemand, admitKey, type Segment } from "../windows/segment.ts";
import { refusalOf, type Windows, windowStartOf } from "../windows/windows.ts";
import { adjustedCount } from "./adjusted-count.ts";
import { type CustomerHasher, createCustomerHasher } from "./customer.ts";
import { type RejectionReason, reducerMetrics, rejectionReasons } from "./reducer-metrics.ts";
import { isRemote, type Shape, ShapeTable } from "./shape-table.ts";

export interface Ingested {
  readonly accepted: number;
  readonly rejected: number;
  /** Why spans were rejected, for the sender; "" when none were. */
  readonly message: string;
}

export interface ReducerOptions {
  readonly windows: Windows;
  readonly memory: SpanMemory;
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
    const valid = validateTraces(bytes);
    this.#metrics.bytes.add(bytes.length);
    if (!valid.ok) {
      this.#metrics.requestsRefused.add();
      return valid;
    }
    this.#nowMs = nowMs;
    this.#resourceIndex = -1;
    this.#segment = undefined;
    this.#refused = { past: 0, future: 0, crowded: 0 };
    const counts = visitSpans(bytes, this.#shapes.slots, (span) => this.#add(span));
    this.#segment = undefined;
    const refused = { ...this.#refused, invalid: counts.rejected };
    const rejected = refused.invalid + refused.past + refused.future + refused.crowded;
    const accepted = counts.visited + counts.rejected - rejected;
    this.#metrics.accepted.add(accepted);
    for (const reason of rejectionReasons) this.#metrics.rejected[reason].add(refused[reason]);
    this.#rejected += rejected;
    const message = rejectionMessage(refused, counts.rejectedReason);
    return ok({ accepted, rejected, message });
  }

  /** Spans rejected since this was last asked. */
  takeRejected(): number {
    const rejected = this.#rejected;
    this.#rejected = 0;
    return rejected;
  }

  #add(span: SpanView): void {
    const end = endMs(span);
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
    const shape = this.#shapeOf(span);
    if (shape.segment !== segment.id) this.#file(shape, segment);
    const ns = span.startHigh === 0 && span.startLow === 0 ? 0 : Math.min(durationNs(span), nsMax);
    const slow = bucketIndex(ns) > shape.slowBucket;
    const cell = segment.cells[shape.id] as Cell;
    this.#count(segment, shape);
    addSpan(cell, { ns, slow, failed: shape.failed, adjusted: adjustedOf(span) });
    if (this.#customers.hash(span, this.#customer)) {
      addCustomer(cell, this.#customer, { slow, failed: shape.failed });
    }
    this.#remember(span, shape, { ns, slow });
  }

  #segmentOf(windowStartMs: number): Segment | undefined {
    let segment = this.#segment;
    if (segment === undefined || segment.windowStartMs !== windowStartMs) {
      segment = this.#options.windows.segmentAt(windowStartMs);
      this.#segment = segment;
    }
    return segment;
  }

  #shapeOf(span: SpanView): Shape {
    if (span.resourceIndex !== this.#resourceIndex) {
      this.#resourceIndex = span.resourceIndex;
      const { bytes, resourceStart, resourceEnd } = span;
      sipHash24(this.#tableKey, bytes, resourceStart, resourceEnd, this.#resource);
    }
    return this.#shapes.shapeOf(span, this.#resource[0] as number, this.#resource[1] as number);
  }

  /** Finds the shape its key and cell in another segment. */
  #file(shape: Shape, segment: Segment): void {
    addDemand(segment, shape.key, this.#tableKey);
    const admission = admitKey(segment, shape.key);
    shape.segment = segment.id;
    shape.id = admission.key;
    shape.folded = admission.folded;
    segment.cells[admission.key] ??= cellOf(segment.cube, admission.key);
    shape.slowBucket = segment.slowBuckets[admission.key] as number;
  }

  #count(segment: Segment, shape: Shape): void {
    segment.spans++;
    if (shape.failed) segment.errors++;
    if (this.#options.windows.isLate(segment.windowStartMs)) {
      segment.late++;
      this.#metrics.late.add();
    }
    if (shape.folded !== 0) this.#countFolded(segment, shape.folded);
  }

  #countFolded(segment: Segment, folded: number): void {
    this.#metrics.folded.add();
    for (let dimension = 0; folded >> dimension !== 0; dimension++) {
      if ((folded & (1 << dimension)) !== 0) {
        segment.foldedSpans[dimension] = (segment.foldedSpans[dimension] as number) + 1;
      }
    }
  }

  #remember(span: SpanView, shape: Shape, seen: { ns: number; slow: boolean }): void {
    const row = this.#row;
    row.idHigh = span.spanIdHigh;
    row.idLow = span.spanIdLow;
    row.parentHigh = span.parentIdHigh;
    row.parentLow = span.parentIdLow;
    row.trace = traceHash(span.traceWord2, span.traceWord3);
    row.process = this.#resource[0] as number;
    row.startNs =
      (span.endHigh - this.#epochHigh) * 2 ** 32 + (span.endLow - this.#epochLow) - seen.ns;
    row.durationNs = seen.ns;
    row.key = shape.id;
    row.segment = shape.segment;
    row.flags =
      shape.kind |
      (shape.failed ? failedFlag : 0) |
      (seen.slow ? slowFlag : 0) |
      (isRemote(span.flags) ? remoteFlag : 0) |
      (shape.database ? databaseFlag : 0);
    const outcome = this.#options.memory.remember(row);
    if (outcome === "repeated") this.#metrics.repeated.add();
    else if (outcome === "full") this.#metrics.unremembered.add();
    else if (shape.kind === consumerKind && span.linkCount > 0) this.#link(span);
  }

  #link(span: SpanView): void {
    const { linkWords, linkCount } = span;
    const count = Math.min(linkCount, linksPerSpanMax);
    let kept = 0;
    for (let at = 0; kept < count; kept++, at += linkWordCount) {
      const trace = traceHash(linkWords[at + 2] as number, linkWords[at + 3] as number);
      const idHigh = linkWords[at + 4] as number;
      const idLow = linkWords[at + 5] as number;
      if (!this.#options.memory.link(idHigh, idLow, trace)) break;
    }
    if (kept < linkCount) this.#metrics.linksDropped.add(linkCount - kept);
  }
}

function addSpan(
  cell: Cell,
  span: { ns: number; slow: boolean; failed: boolean; adjusted: number },
): void {
  cell.count++;
  cell.adjusted = Math.min(cell.adjusted + span.adjusted, Number.MAX_SAFE_INTEGER);
  if (span.failed) cell.errors++;
  if (span.slow) cell.slow++;
  addHistogram(cell.durationNs, span.ns);
}

function addCustomer(
  cell: Cell,
  hash: Uint32Array,
  span: { slow: boolean; failed: boolean },
): void {
  const low = hash[0] as number;
  const high = hash[1] as number;
  addHll(cell.customers, low, high);
  if (span.failed) addHll(cell.customersFailed, low, high);
  if (span.slow) addHll(cell.customersSlow, low, high);
}

function adjustedOf(span: SpanView): number {
  const { traceStateStart, traceStateEnd } = span;
  if (traceStateStart === traceStateEnd) return adjustedUnit;
  return adjustedCount(utf8Of(span.bytes, traceStateStart, traceStateEnd), adjustedUnit);
}

function emptyRow(): RememberedSpan {
  return {
    idHigh: 0,
    idLow: 0,
    parentHigh: 0,
    parentLow: 0,
    trace: 0,
    process: 0,
    startNs: 0,
    durationNs: 0,
    key: 0,
    segment: 0,
    flags: 0,
  };
}

function rejectionMessage(
  refused: Readonly<Record<RejectionReason, number>>,
  invalidReason: string,
): string {
  const says: Readonly<Record<RejectionReason, string>> = {
    past: "ended more than 48 hours ago",
    future: "end more than 30 seconds ahead of this clock",
    crowded: "belong to more old windows than are taken at a time",
    invalid: `are invalid, the first: ${invalidReason}`,
  };
  return rejectionReasons
    .filter((reason) => refused[reason] > 0)
    .map((reason) => `${refused[reason]} spans ${says[reason]}`)
    .join("; ");
}
