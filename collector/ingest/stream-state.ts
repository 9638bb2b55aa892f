/**
 * What the collector remembers of one agent stream: which records it has, what became of their
 * spans, when it was heard, its watermark and how much traffic it usually carries.
 *
 * What a record does to it is a function of the record and the time it was received, both of which
 * are logged, so a replay gives the same state. Heartbeats are not logged: what they say is either
 * said again within seconds or saved with the head of the next log file.
 */
import { lossCauses } from "../../wire/lost-records.ts";
import type {
  BatchHeader,
  HeartbeatBatch,
  LossCause,
  SequencedBatch,
  TombstoneBatch,
} from "../../wire/sketch-batch.ts";
import { addNumbers, addRange, countMissing, hasNumber, type Interval } from "./intervals.ts";

export interface StreamState {
  readonly id: string;
  agent: string;
  /** Numbers that are applied or declared lost; any other is still to come. */
  intervals: readonly Interval[];
  /** Digests of the newest records, by sequence number. */
  readonly digests: Map<number, string>;
  heardMs: number;
  watermarkMs: number;
  hashKeyId: string;
  /** Spans a window, smoothed; what the stream counts for in coverage. */
  weight: number;
  /** The last number the stream has used, and the oldest its agent still holds, as far as heard. */
  lastSeq: number;
  oldestSeq: number;
  /** Spans of its window records up to `lastSeq`, as the agent counts them. */
  streamSpans: number;
  appliedRecords: number;
  appliedSpans: number;
  /** Of the applied: in no window, as theirs is too old or lies in the future. */
  asideSpans: number;
  lostRecords: number;
  /**
   * 1 once a record came under a number that another has, or under one that a later heartbeat
   * knew nothing of: two processes numbered records by themselves, so that no sum of one of them
   * is what the stream should amount to.
   */
  forks: number;
  readonly lostSpans: Map<LossCause, number>;
  gapMs: number;
  /** Times in milliseconds of which the stream has not told everything, nor ever will. */
  unreported: readonly Interval[];
  /** Numbers from `oldestSeq` to `lastSeq` that are not here. */
  missing: number;
}

/** Two machines' clocks may differ by this much. */
export const clockSkewMs = 30_000;
const digestsMax = 64;
/** Only windows not long closed are asked about; of more times the oldest are forgotten. */
const unreportedMax = 64;

export function createStreamState(header: BatchHeader, nowMs: number): StreamState {
  return {
    id: header.streamId,
    agent: header.agent,
    intervals: [],
    digests: new Map(),
    heardMs: nowMs,
    watermarkMs: 0,
    hashKeyId: header.hashKeyId,
    weight: 0,
    lastSeq: 0,
    // Until a heartbeat says otherwise the agent may hold everything.
    oldestSeq: 1,
    streamSpans: 0,
    appliedRecords: 0,
    appliedSpans: 0,
    asideSpans: 0,
    lostRecords: 0,
    forks: 0,
    lostSpans: new Map(),
    gapMs: 0,
    unreported: [],
    missing: 0,
  };
}

/** The numbers a record stands for: its own, and those a tombstone declares lost. */
export function numbersOf(batch: SequencedBatch): number[] {
  const lost = batch.kind === "tombstone" ? batch.lost.map(({ seq }) => seq) : [];
  return [...lost, batch.seq];
}

/** Every number up to the last one the stream has used is accounted for. */
export function isComplete(stream: StreamState): boolean {
  return stream.missing === 0;
}

export interface DurableRecord {
  readonly batch: SequencedBatch;
  readonly digest: string;
  readonly receivedMs: number;
  /** Its window is too old or in the future, so that its spans go into none. */
  readonly aside: boolean;
}

/** Applies a record whose number is new. */
export function applyRecord(stream: StreamState, record: DurableRecord): void {
  const { batch, digest, receivedMs } = record;
  if (batch.kind === "tombstone") declareLost(stream, batch);
  else if (batch.kind === "gap") {
    stream.gapMs += batch.gapToMs - batch.gapFromMs;
    addUnreported(stream, batch.gapFromMs, batch.gapToMs);
  } else {
    stream.appliedSpans += batch.counts.spans;
    if (record.aside) stream.asideSpans += batch.counts.spans;
  }
  // Whoever was heard since knew nothing of this number: it is an earlier, killed process's.
  if (batch.seq > stream.lastSeq && batch.watermarkMs < stream.watermarkMs) stream.forks = 1;
  stream.appliedRecords++;
  stream.intervals = addNumbers(stream.intervals, numbersOf(batch));
  stream.digests.set(batch.seq, digest);
  if (stream.digests.size > digestsMax) stream.digests.delete(Math.min(...stream.digests.keys()));
  hear(stream, batch, receivedMs);
}

/** What was applied before is not lost, whatever the agent believes. */
function declareLost(stream: StreamState, { lost, cause, windowLengthMs }: TombstoneBatch): void {
  for (const { seq, spans, windowStartMs } of lost) {
    if (hasNumber(stream.intervals, seq)) continue;
    stream.lostRecords++;
    stream.lostSpans.set(cause, (stream.lostSpans.get(cause) ?? 0) + spans);
    if (windowStartMs > 0) addUnreported(stream, windowStartMs, windowStartMs + windowLengthMs);
  }
}

function addUnreported(stream: StreamState, fromMs: number, toMs: number): void {
  stream.unreported = addRange(stream.unreported, fromMs, toMs - 1).slice(-unreportedMax);
}

/** Takes note of a sign of life. */
export function applyHeartbeat(
  stream: StreamState,
  batch: HeartbeatBatch,
  receivedMs: number,
): void {
  stream.oldestSeq = Math.max(stream.oldestSeq, batch.oldestSeq);
  hear(stream, batch, receivedMs);
}

function hear(stream: StreamState, header: BatchHeader, receivedMs: number): void {
  // A late heartbeat of a killed process may know of records that went with it.
  const isNewest =
    header.seq > stream.lastSeq ||
    (header.seq === stream.lastSeq && header.watermarkMs >= stream.watermarkMs);
  stream.heardMs = Math.max(stream.heardMs, receivedMs);
  // A clock that is ahead says nothing about what is still to come by ours.
  if (header.watermarkMs <= receivedMs + clockSkewMs) {
    const watermarkMs = Math.min(header.watermarkMs, receivedMs);
    stream.watermarkMs = Math.max(stream.watermarkMs, watermarkMs);
  }
  stream.hashKeyId = header.hashKeyId;
  stream.agent = header.agent;
  // By number, not by size: an agent that lost records it had in memory alone goes on with fewer.
  if (isNewest) {
    stream.lastSeq = header.seq;
    stream.streamSpans = header.streamSpans;
  }
  stream.missing = countMissing(stream.intervals, stream.oldestSeq, stream.lastSeq);
}

/** Spans declared lost, whatever the cause. */
export function lostSpansOf(stream: StreamState): number {
  return lossCauses.reduce((sum, cause) => sum + (stream.lostSpans.get(cause) ?? 0), 0);
}

/** What is here and what is lost is what the agent counted; of an incomplete stream it will be. */
export function isAccounted(stream: StreamState): boolean {
  if (!isComplete(stream) || stream.forks > 0) return true;
  return stream.appliedSpans + lostSpansOf(stream) === stream.streamSpans;
}
