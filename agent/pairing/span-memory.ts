/**
 * The spans of the open windows, and of windows sealed a moment ago, so that parent and child find
 * each other whatever the order they arrive in. A row of `SpanRows` a span, in the order they came,
 * about 80 bytes with its slots in the table; rows grow on demand up to `spansMax`.
 *
 *   byId     from span id and trace to row
 *   ranges   by segment, between which rows its own are; rows of others lie among them
 *   waiting  rows whose parent is not there
 *   links    (row, linked id, linked trace), in the order of rows
 *
 * `linkNew` looks parents up for the rows of a request while their slots are still in the cache;
 * who found none is asked again by `linkWaiting` before a window is sealed. A second table, by
 * parent, did the same for twice the memory and three look-ups in it for every span.
 *
 * A span id that is already there is a repetition, as an exporter's retry makes: it is not kept
 * again, so no child or edge is counted twice. What finds no room is refused.
 */
import { IdTable } from "./id-table.ts";
import type { Remembered, RememberedSpan } from "./remembered-span.ts";
import {
  durationColumn,
  firstChildColumn,
  flagsColumn,
  idHighColumn,
  idLowColumn,
  keyColumn,
  nextSiblingColumn,
  parentColumn,
  parentHighColumn,
  parentLowColumn,
  processColumn,
  SpanRows,
  segmentColumn,
  startColumn,
  traceColumn,
} from "./span-rows.ts";

export interface RowRange {
  first: number;
  end: number;
}

const rowsInitial = 1_024;
const none = -1;
const noRows: Readonly<RowRange> = { first: 0, end: 0 };

export class SpanMemory {
  readonly spansMax: number;
  readonly linksMax: number;
  readonly rows = new SpanRows();
  size = 0;
  linkCount = 0;
  linkRow = new Int32Array(rowsInitial);
  linkHigh = new Int32Array(rowsInitial);
  linkLow = new Int32Array(rowsInitial);
  linkTrace = new Int32Array(rowsInitial);
  readonly #byId: IdTable;
  #waiting = new Int32Array(rowsInitial);
  #waitingCount = 0;
  /** Rows from here on have not been looked at by `linkNew`. */
  #linkedTo = 0;
  /** How many rows there were when the waiting ones were last asked. */
  #askedAt = 0;
  readonly #ranges = new Map<number, RowRange>();
  #range: RowRange = { first: 0, end: 0 };
  #rangeSegment = none;

  constructor(options: { spansMax: number; seed: number }) {
    this.spansMax = options.spansMax;
    this.linksMax = options.spansMax;
    this.#byId = new IdTable(options.seed, this.rows);
  }

  /** Copies the span in; its row is `size - 1` when kept. */
  remember(span: RememberedSpan): Remembered {
    const row = this.size;
    if (row === this.spansMax) return "full";
    if (row === this.#byId.room) this.#growTable();
    const slot = this.#byId.slotOf(span.idHigh | 0, span.idLow | 0, span.trace | 0);
    if (slot === none) return "full";
    if (this.#byId.rowAt(slot) !== none) return "repeated";
    const { rows } = this;
    if (row === rows.room) rows.addRoom();
    this.#byId.put(slot, row, span.idLow);
    const words = rows.blockOf(row);
    const at = rows.startOf(row);
    words[at + idHighColumn] = span.idHigh;
    words[at + idLowColumn] = span.idLow;
    words[at + parentHighColumn] = span.parentHigh;
    words[at + parentLowColumn] = span.parentLow;
    words[at + traceColumn] = span.trace;
    words[at + processColumn] = span.process;
    words[at + keyColumn] = span.key;
    words[at + segmentColumn] = span.segment;
    words[at + flagsColumn] = span.flags;
    words[at + parentColumn] = none;
    words[at + firstChildColumn] = none;
    words[at + nextSiblingColumn] = none;
    rows.setTime(row, startColumn, span.startNs);
    rows.setTime(row, durationColumn, span.durationNs);
    this.#addToRange(row, span.segment);
    this.size = row + 1;
    return "kept";
  }

  /** Gives the newest row a link; false when there is no room. */
  link(idHigh: number, idLow: number, trace: number): boolean {
    const at = this.linkCount;
    if (at === this.linksMax) return false;
    if (at === this.linkRow.length) this.#growLinks();
    this.linkRow[at] = this.size - 1;
    this.linkHigh[at] = idHigh;
    this.linkLow[at] = idLow;
    this.linkTrace[at] = trace;
    this.linkCount++;
    return true;
  }

  /** The row of this span, or -1. */
  find(idHigh: number, idLow: number, trace: number): number {
    const slot = this.#byId.slotOf(idHigh | 0, idLow | 0, trace | 0);
    return slot === none ? none : this.#byId.rowAt(slot);
  }

  hasParent(row: number): boolean {
    const { rows } = this;
    return (rows.word(row, parentHighColumn) | rows.word(row, parentLowColumn)) !== 0;
  }

  /** Where the rows of a segment are; not all rows there are its own. */
  rangeOf(segment: number): Readonly<RowRange> {
    return this.#ranges.get(segment) ?? noRows;
  }

  /** Finds the parents of the rows remembered since the last call. */
  linkNew(): void {
    for (let row = this.#linkedTo; row < this.size; row++) {
      if (this.hasParent(row) && !this.#linkToParent(row)) this.#wait(row);
    }
    this.#linkedTo = this.size;
  }

  /** Asks once more for the parents that had not arrived, if anything has arrived since. */
  linkWaiting(): void {
    this.linkNew();
    if (this.#askedAt === this.size) return;
    this.#askedAt = this.size;
    let kept = 0;
    for (let at = 0; at < this.#waitingCount; at++) {
      const row = this.#waiting[at] as number;
      if (!this.#linkToParent(row)) this.#waiting[kept++] = row;
    }
    this.#waitingCount = kept;
  }

  /** Makes the span one of another segment, which is known to be found and not to be reported. */
  moveToSegment(row: number, segment: number): void {
    this.rows.setWord(row, segmentColumn, segment);
  }

  /** Forgets the spans of these segments and closes the gaps they leave. */
  release(segments: ReadonlySet<number>): void {
    this.linkNew();
    const moved = this.#closeGaps(segments);
    const { rows } = this;
    this.#ranges.clear();
    this.#rangeSegment = none;
    this.#waitingCount = 0;
    for (let row = 0; row < this.size; row++) rows.setWord(row, firstChildColumn, none);
    for (let row = 0; row < this.size; row++) {
      this.#addToRange(row, rows.word(row, segmentColumn));
      const parent = rows.word(row, parentColumn);
      const to = parent === none ? none : (moved[parent] as number);
      if (to !== none) this.#adopt(row, to);
      else rows.setWord(row, parentColumn, none);
      if (to === none && this.hasParent(row)) this.#wait(row);
    }
    this.#linkedTo = this.size;
    this.#askedAt = 0;
    this.#enterAll();
  }

  /** Moves rows and links to the front; gives where each row went, -1 for those forgotten. */
  #closeGaps(segments: ReadonlySet<number>): Int32Array {
    const { rows } = this;
    const moved = new Int32Array(this.size).fill(none);
    let to = 0;
    let segment = none;
    let isGone = false;
    for (let from = 0; from < this.size; from++) {
      // Long runs are of one segment.
      if (rows.word(from, segmentColumn) !== segment) {
        segment = rows.word(from, segmentColumn);
        isGone = segments.has(segment);
      }
      if (isGone) continue;
      rows.copy(to, from);
      moved[from] = to++;
    }
    this.size = to;
    let kept = 0;
    for (let link = 0; link < this.linkCount; link++) {
      const row = moved[this.linkRow[link] as number] as number;
      if (row === none) continue;
      this.linkRow[kept] = row;
      this.linkHigh[kept] = this.linkHigh[link] as number;
      this.linkLow[kept] = this.linkLow[link] as number;
      this.linkTrace[kept] = this.linkTrace[link] as number;
      kept++;
    }
    this.linkCount = kept;
    return moved;
  }

  /** Makes the table anew. */
  #enterAll(): void {
    const { rows } = this;
    this.#byId.clear();
    for (let row = 0; row < this.size; row++) {
      const idLow = rows.word(row, idLowColumn);
      const idHigh = rows.word(row, idHighColumn);
      const slot = this.#byId.freeSlotOf(idHigh, idLow, rows.word(row, traceColumn));
      this.#byId.put(slot, row, idLow);
    }
  }

  #addToRange(row: number, segment: number): void {
    if (segment !== this.#rangeSegment) {
      this.#rangeSegment = segment;
      this.#range = this.#ranges.get(segment) ?? { first: row, end: row };
      this.#ranges.set(segment, this.#range);
    }
    this.#range.end = row + 1;
  }

  #wait(row: number): void {
    if (this.#waitingCount === this.#waiting.length) this.#waiting = doubled(this.#waiting);
    this.#waiting[this.#waitingCount++] = row;
  }

  #linkToParent(row: number): boolean {
    const { rows } = this;
    const parent = this.find(
      rows.word(row, parentHighColumn),
      rows.word(row, parentLowColumn),
      rows.word(row, traceColumn),
    );
    if (parent !== none) this.#adopt(row, parent);
    return parent !== none;
  }

  /** A span that names itself as its parent has one, and is nobody's child. */
  #adopt(row: number, parent: number): void {
    const { rows } = this;
    rows.setWord(row, parentColumn, parent);
    if (parent === row) return;
    rows.setWord(row, nextSiblingColumn, rows.word(parent, firstChildColumn));
    rows.setWord(parent, firstChildColumn, row);
  }

  /** Twice the slots. */
  #growTable(): void {
    this.linkNew();
    this.#byId.grow();
    this.#enterAll();
  }

  #growLinks(): void {
    this.linkRow = doubled(this.linkRow);
    this.linkHigh = doubled(this.linkHigh);
    this.linkLow = doubled(this.linkLow);
    this.linkTrace = doubled(this.linkTrace);
  }
}

function doubled(from: Int32Array): Int32Array<ArrayBuffer> {
  const to = new Int32Array(from.length * 2);
  to.set(from);
  return to;
}
