/**
 * What the segment files of a spool say, put together: the records still to be sent, where the
 * stream goes on, and which of its numbers are nowhere to be found.
 *
 * Nothing here is trusted twice: a record that is in two files counts once, one that a tombstone
 * declares lost or that was moved to another stream is left out, and a number that is missing
 * between two that are there belonged to a damaged record. What such a record counted is known from
 * the header of the next file, or from the records right behind it.
 */
import { recordHeaderSize } from "../../base/records.ts";
import { decodeSketchBatch, type LostRecord } from "../../wire/sketch-batch.ts";
import type { NumberSet } from "./number-set.ts";
import { createEntry, nameOf, release, type SpoolEntry } from "./spool-entry.ts";
import {
  type CertainNumber,
  countsBeforeMax,
  decodeSpoolPayload,
  type RecordCounts,
  type RecordName,
  type SegmentHeader,
  type SpoolPayload,
} from "./spool-record.ts";
import type { StreamState } from "./stream-numbers.ts";

export interface ScannedSegment {
  readonly path: string;
  readonly payloads: readonly Uint8Array[];
  /** Where the frame of each begins. */
  readonly offsets: readonly number[];
}

export interface RecoveredSpool {
  /** Where the stream of the newest record goes on; undefined when there is none. */
  readonly stream: StreamState | undefined;
  /** Numbers of that stream which may be lost: whether they are, the collector knows. */
  readonly missing: readonly LostRecord[];
  /** Until when an agent is known to have listened, or 0. */
  readonly watermarkMs: number;
  /** Payloads of no known format. */
  readonly unknown: number;
}

/** Of one hole. A longer one is of files that nobody has any more, and of numbers long settled. */
const missingMax = 16_384;

const unknownSpans = -1;

/** Takes segments in the order of their files, one at a time, and then says what they amount to. */
export class SpoolReading {
  #watermarkMs = 0;
  #unknown = 0;
  readonly #byName = new Map<string, SpoolEntry>();
  readonly #counts = new Map<string, RecordCounts>();
  /** Numbers below are settled, by stream. */
  readonly #floors = new Map<string, number>();
  /** Spans up to the numbers that headers say are certain, by stream. */
  readonly #certain = new Map<string, Map<number, number>>();
  #newest: SpoolEntry | undefined;

  /** The records of a segment that no segment before has. */
  add(segment: ScannedSegment): SpoolEntry[] {
    const entries: SpoolEntry[] = [];
    for (const [index, bytes] of segment.payloads.entries()) {
      const payload = decodeSpoolPayload(bytes);
      if (payload === undefined) this.#unknown++;
      else if (payload.type === "mark") this.#hear(payload.watermarkMs);
      else if (payload.type === "certain") this.#certify(payload);
      else if (payload.type === "header") this.#learn(payload);
      else {
        const entry = this.#addRecord(payload);
        if (entry === undefined) continue;
        const position = segment.offsets[index] as number;
        entry.place = { path: segment.path, position, size: recordHeaderSize + bytes.length };
        entries.push(entry);
      }
    }
    return entries;
  }

  finish(): RecoveredSpool {
    this.#replace();
    const stream = this.#stream();
    return {
      stream,
      missing: stream === undefined ? [] : this.#missing(stream),
      watermarkMs: this.#watermarkMs,
      unknown: this.#unknown,
    };
  }

  /** Finds who speaks for whom. */
  #replace(): void {
    for (const entry of this.#byName.values()) {
      const { streamId, origin } = entry.facts;
      const names = entry.lost.map(({ seq }) => nameOf({ streamId, seq }));
      if (origin !== undefined) names.push(nameOf(origin));
      for (const name of names) {
        const replaced = this.#byName.get(name);
        if (replaced === undefined || replaced === entry) continue;
        replaced.state = "replaced";
        replaced.replacedBy = entry;
      }
    }
  }

  #stream(): StreamState | undefined {
    if (this.#newest === undefined) return undefined;
    const { streamId } = this.#newest.facts;
    const records = this.#recordsOf(streamId);
    const last = (records.at(-1) as SpoolEntry).facts;
    const newest = records.findLast(({ isBlind }) => !isBlind)?.facts;
    const told = this.#toldOf(streamId);
    const certain = newest !== undefined && newest.seq > told.seq ? newest : told;
    // A failing disk leaves out what was sent from memory; its numbers are used all the same.
    const { seq: lastSeq, streamSpans } = told.seq > last.seq ? told : last;
    const floor = this.#floors.get(streamId) ?? 1;
    const before: RecordCounts[] = [];
    for (let seq = lastSeq; before.length < countsBeforeMax; seq--) {
      const counts = this.#counts.get(nameOf({ streamId, seq }));
      if (counts === undefined) break;
      before.push(counts);
    }
    const settled: NumberSet = floor > 1 ? [[1, floor - 1]] : [];
    return {
      ...{ streamId, lastSeq, streamSpans, settled, before },
      certain: { seq: certain.seq, streamSpans: certain.streamSpans },
    };
  }

  /** Numbers from the first that may not be settled up to the last that nobody has here. */
  #missing({ streamId, lastSeq }: StreamState): LostRecord[] {
    const records = new Map(this.#recordsOf(streamId).map(({ facts }) => [facts.seq, facts]));
    const tombstones = this.#recordsOf(streamId).flatMap(({ lost }) => lost);
    const declared = new Map(tombstones.map(({ seq, spans }) => [seq, spans]));
    const floor = this.#floors.get(streamId) ?? 1;
    const missing: LostRecord[] = [];
    let windowStartMs = 0;
    let hole: LostRecord[] = [];
    let declaredSpans = 0;
    let before: CertainNumber = { seq: 0, streamSpans: 0 };
    for (const sum of this.#sumsOf(streamId)) {
      const last = Math.min(sum.seq, lastSeq);
      for (let seq = Math.max(before.seq + 1, floor, last - missingMax); seq <= last; seq++) {
        windowStartMs = records.get(seq)?.windowStartMs ?? windowStartMs;
        if (records.has(seq)) continue;
        declaredSpans += declared.get(seq) ?? 0;
        if (!declared.has(seq)) hole.push(this.#countsOf(streamId, seq, windowStartMs));
      }
      // Settled numbers between two sums count too, so what they leave is not known.
      const isWhole = floor <= before.seq + 1;
      const known = (records.get(sum.seq)?.spans ?? 0) + declaredSpans;
      missing.push(...withRest(hole, isWhole ? sum.streamSpans - before.streamSpans - known : 0));
      hole = [];
      declaredSpans = 0;
      before = sum;
    }
    return missing;
  }

  /** What is known of the spans up to a number, ascending. */
  #sumsOf(streamId: string): CertainNumber[] {
    const sums = new Map(this.#certain.get(streamId) ?? []);
    for (const { facts } of this.#recordsOf(streamId)) sums.set(facts.seq, facts.streamSpans);
    return [...sums]
      .map(([seq, streamSpans]) => ({ seq, streamSpans }))
      .sort((a, b) => a.seq - b.seq);
  }

  #addRecord({ facts, batch }: Extract<SpoolPayload, { type: "record" }>): SpoolEntry | undefined {
    this.#hear(facts.watermarkMs);
    const { streamId, seq } = facts;
    for (const [index, counts] of facts.before.entries()) {
      this.#counts.set(nameOf({ streamId, seq: seq - 1 - index }), counts);
    }
    const name = nameOf(facts);
    if (this.#byName.has(name)) return undefined;
    const lost = facts.kind === "tombstone" ? lostIn(batch) : [];
    this.#counts.set(name, facts);
    const kept = { ...facts, before: [] };
    const entry = createEntry(kept, { size: batch.length, lost, isRecovered: true });
    entry.state = "waiting";
    this.#byName.set(name, entry);
    this.#newest = entry;
    return entry;
  }

  #learn(header: SegmentHeader): void {
    const { streamId, settledBelow, settledSpans, certain, previous } = header;
    this.#floors.set(streamId, Math.max(this.#floors.get(streamId) ?? 1, settledBelow));
    const sums = this.#certain.get(streamId) ?? new Map<number, number>();
    this.#certain.set(streamId, sums);
    sums.set(certain.seq, certain.streamSpans);
    if (settledSpans !== undefined) sums.set(settledBelow - 1, settledSpans);
    for (const { seq, ...counts } of previous) this.#counts.set(nameOf({ streamId, seq }), counts);
  }

  /** Comes behind the records it is of. */
  #certify({ streamId, seq }: RecordName): void {
    for (const entry of this.#recordsOf(streamId)) {
      if (!entry.isBlind || entry.facts.seq > seq) continue;
      entry.isBlind = false;
      release(entry);
    }
  }

  #countsOf(streamId: string, seq: number, windowStartMs: number): LostRecord {
    const known = this.#counts.get(nameOf({ streamId, seq }));
    if (known === undefined) return { seq, spans: unknownSpans, errors: 0, windowStartMs };
    return { seq, spans: known.spans, errors: known.errors, windowStartMs: known.windowStartMs };
  }

  /** The last number that headers say is certain. */
  #toldOf(streamId: string): CertainNumber {
    const told = [...(this.#certain.get(streamId) ?? [])];
    const none: [number, number] = [0, 0];
    const [seq, streamSpans] = told.reduce((a, b) => (b[0] > a[0] ? b : a), none);
    return { seq, streamSpans };
  }

  #recordsOf(streamId: string): SpoolEntry[] {
    return [...this.#byName.values()]
      .filter(({ facts }) => facts.streamId === streamId)
      .sort((a, b) => a.facts.seq - b.facts.seq);
  }

  #hear(watermarkMs: number): void {
    this.#watermarkMs = Math.max(this.#watermarkMs, watermarkMs);
  }
}

/** Gives the first record of unknown counts what is left of the `spans` of the hole. */
function withRest(hole: readonly LostRecord[], spans: number): LostRecord[] {
  let rest = hole.reduce((left, record) => left - Math.max(0, record.spans), spans);
  return hole.map((record) => {
    if (record.spans !== unknownSpans) return record;
    const all = Math.max(0, rest);
    rest = 0;
    return { ...record, spans: all };
  });
}

function lostIn(batch: Uint8Array): readonly LostRecord[] {
  const decoded = decodeSketchBatch(batch);
  return decoded.ok && decoded.value.kind === "tombstone" ? decoded.value.lost : [];
}
