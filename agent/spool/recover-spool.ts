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
  /** What headers say, by stream. */
  readonly #certain = new Map<string, CertainNumber>();
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

  #missing({ streamId, lastSeq, streamSpans }: StreamState): LostRecord[] {
    const records = this.#recordsOf(streamId);
    const declared = new Set(records.flatMap(({ lost }) => lost.map(({ seq }) => seq)));
    const missing: LostRecord[] = [];
    let next = this.#floors.get(streamId) ?? 1;
    let spansBefore = next === 1 ? 0 : undefined;
    let windowStartMs = 0;
    const addHole = (endSeq: number, spansThere: number): void => {
      const hole: LostRecord[] = [];
      next = Math.max(next, endSeq - missingMax);
      for (; next < endSeq; next++) {
        if (!declared.has(next)) hole.push(this.#countsOf(streamId, next, windowStartMs));
      }
      missing.push(...withRest(hole, spansBefore === undefined ? 0 : spansThere - spansBefore));
    };
    for (const { facts } of records) {
      windowStartMs = facts.windowStartMs;
      addHole(facts.seq, facts.streamSpans - facts.spans);
      spansBefore = facts.streamSpans;
      next = Math.max(next, facts.seq + 1);
    }
    addHole(lastSeq + 1, streamSpans);
    return missing;
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

  #learn({
    streamId,
    settledBelow,
    certain,
    previous,
  }: Extract<SpoolPayload, { type: "header" }>): void {
    this.#floors.set(streamId, Math.max(this.#floors.get(streamId) ?? 1, settledBelow));
    if (certain.seq >= this.#toldOf(streamId).seq) {
      this.#certain.set(streamId, certain);
    }
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

  #toldOf(streamId: string): CertainNumber {
    return this.#certain.get(streamId) ?? { seq: 0, streamSpans: 0 };
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
