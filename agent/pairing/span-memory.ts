/**
 * The spans of the open windows, and of windows sealed a moment ago, so that parent and child find
 * each other whatever the order they arrive in. One row of typed arrays a span, about 80 bytes with
 * its table slots; rows grow on demand up to `spansMax`.
 *
 *   byId      from span id and trace to row
 *   parentRow, firstChild, nextSibling   the tree of the rows, as far as it is known
 *   waiting   rows whose parent is not there
 *   links     (row, linked id, linked trace), in the order of rows
 *
 * `linkNew` looks parents up for the rows of a request while their slots are still in the cache;
 * who found none is asked again by `linkWaiting` before a window is sealed. A second table, by
 * parent, did the same for twice the memory and three look-ups in it for every span.
 *
 * A span id that is already there is a repetition, as an exporter's retry makes: it is not kept
 * again, so no child or edge is counted twice. What finds no room is refused.
 */
import { grown } from "./grown.ts";
import { IdTable } from "./id-table.ts";
import type { Remembered, RememberedSpan } from "./remembered-span.ts";

const rowsInitial = 1_024;
const none = -1;

export class SpanMemory {
  readonly spansMax: number;
  readonly linksMax: number;
  size = 0;
  linkCount = 0;
  idHigh = new Uint32Array(rowsInitial);
  idLow = new Uint32Array(rowsInitial);
  parentHigh = new Uint32Array(rowsInitial);
  parentLow = new Uint32Array(rowsInitial);
  trace = new Uint32Array(rowsInitial);
  process = new Uint32Array(rowsInitial);
  startNs = new Float64Array(rowsInitial);
  durationNs = new Float64Array(rowsInitial);
  key = new Uint32Array(rowsInitial);
  segment = new Uint32Array(rowsInitial);
  flags = new Uint16Array(rowsInitial);
  /** -1 for no parent, or one that is not there. */
  parentRow = new Int32Array(rowsInitial);
  firstChild = new Int32Array(rowsInitial);
  nextSibling = new Int32Array(rowsInitial);
  nextInSegment = new Int32Array(rowsInitial);
  linkRow = new Uint32Array(rowsInitial);
  linkHigh = new Uint32Array(rowsInitial);
  linkLow = new Uint32Array(rowsInitial);
  linkTrace = new Uint32Array(rowsInitial);
  readonly #byId: IdTable;
  #waiting = new Int32Array(rowsInitial);
  #waitingCount = 0;
  /** Rows from here on have not been looked at by `linkNew`. */
  #linkedTo = 0;
  /** How many rows there were when the waiting ones were last asked. */
  #askedAt = 0;
  readonly #firstInSegment = new Map<number, { row: number }>();
  #head = { row: none };
  #headSegment = none;

  constructor(options: { spansMax: number; seed: number }) {
    this.spansMax = options.spansMax;
    this.linksMax = options.spansMax;
    this.#byId = new IdTable(options.seed, rowsInitial);
  }

  /** Copies the span in; its row is `size - 1` when kept. */
  remember(span: RememberedSpan): Remembered {
    if (this.size === this.spansMax) return "full";
    if (this.size === this.idHigh.length) this.#grow();
    const slot = this.#byId.slotOf(this, span.idHigh, span.idLow, span.trace);
    if (slot === none) return "full";
    if (this.#byId.rowAt(slot) !== none) return "repeated";
    const row = this.size;
    this.#byId.put(slot, row, span.idLow);
    this.idHigh[row] = span.idHigh;
    this.idLow[row] = span.idLow;
    this.parentHigh[row] = span.parentHigh;
    this.parentLow[row] = span.parentLow;
    this.trace[row] = span.trace;
    this.process[row] = span.process;
    this.startNs[row] = span.startNs;
    this.durationNs[row] = span.durationNs;
    this.key[row] = span.key;
    this.segment[row] = span.segment;
    this.flags[row] = span.flags;
    this.parentRow[row] = none;
    this.firstChild[row] = none;
    this.nextSibling[row] = none;
    this.#addToSegment(row);
    this.size++;
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
    const slot = this.#byId.slotOf(this, idHigh, idLow, trace);
    return slot === none ? none : this.#byId.rowAt(slot);
  }

  hasParent(row: number): boolean {
    return this.parentHigh[row] !== 0 || this.parentLow[row] !== 0;
  }

  /** The first row of a segment; `nextInSegment` leads on, -1 ends. */
  firstInSegment(segment: number): number {
    return this.#firstInSegment.get(segment)?.row ?? none;
  }

  /** Finds the parents of the rows remembered since the last call. */
  linkNew(): void {
    for (let row = this.#linkedTo; row < this.size; row++) {
      if (this.hasParent(row) && !this.#linkToParent(row)) {
        this.#waiting[this.#waitingCount++] = row;
      }
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

  /** Forgets the spans of these segments and closes the gaps they leave. */
  release(segments: ReadonlySet<number>): void {
    this.linkNew();
    const moved = this.#closeGaps(segments);
    this.#firstInSegment.clear();
    this.#headSegment = none;
    this.firstChild.fill(none, 0, this.size);
    this.#waitingCount = 0;
    for (let row = 0; row < this.size; row++) {
      this.#addToSegment(row);
      const parent = this.parentRow[row] as number;
      const to = parent === none ? none : (moved[parent] as number);
      if (to !== none) this.#adopt(row, to);
      else this.parentRow[row] = none;
      if (to === none && this.hasParent(row)) this.#waiting[this.#waitingCount++] = row;
    }
    this.#linkedTo = this.size;
    this.#askedAt = 0;
    this.#enterAll();
  }

  /** Moves rows and links to the front; gives where each row went, -1 for those forgotten. */
  #closeGaps(segments: ReadonlySet<number>): Int32Array {
    const moved = new Int32Array(this.size).fill(none);
    const columns = this.#columns();
    let to = 0;
    for (let from = 0; from < this.size; ) {
      let end = from;
      for (; end < this.size && !segments.has(this.segment[end] as number); end++) {
        moved[end] = to + end - from;
      }
      // Rows come in the order of time, so what stays is a few runs, moved whole.
      for (const column of columns) column.copyWithin(to, from, end);
      to += end - from;
      from = end;
      while (from < this.size && segments.has(this.segment[from] as number)) from++;
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

  /** Makes the table anew, with room for as many rows as there is room for. */
  #enterAll(): void {
    this.#byId.clear(this.idHigh.length);
    for (let row = 0; row < this.size; row++) {
      const idLow = this.idLow[row] as number;
      const idHigh = this.idHigh[row] as number;
      const slot = this.#byId.freeSlotOf(idHigh, idLow, this.trace[row] as number);
      this.#byId.put(slot, row, idLow);
    }
  }

  #addToSegment(row: number): void {
    const segment = this.segment[row] as number;
    if (segment !== this.#headSegment) {
      this.#headSegment = segment;
      this.#head = this.#firstInSegment.get(segment) ?? { row: none };
      this.#firstInSegment.set(segment, this.#head);
    }
    this.nextInSegment[row] = this.#head.row;
    this.#head.row = row;
  }

  #linkToParent(row: number): boolean {
    const parent = this.find(
      this.parentHigh[row] as number,
      this.parentLow[row] as number,
      this.trace[row] as number,
    );
    if (parent !== none) this.#adopt(row, parent);
    return parent !== none;
  }

  /** A span that names itself as its parent has one, and is nobody's child. */
  #adopt(row: number, parent: number): void {
    this.parentRow[row] = parent;
    if (parent === row) return;
    this.nextSibling[row] = this.firstChild[parent] as number;
    this.firstChild[parent] = row;
  }

  #columns(): (Uint32Array | Uint16Array | Int32Array | Float64Array)[] {
    return [
      ...[this.idHigh, this.idLow, this.parentHigh, this.parentLow, this.trace, this.process],
      ...[this.startNs, this.durationNs, this.key, this.segment, this.flags, this.parentRow],
    ];
  }

  /** Doubles the rows, and the table with them. */
  #grow(): void {
    this.linkNew();
    const rows = this.idHigh.length * 2;
    this.idHigh = grown(this.idHigh, new Uint32Array(rows));
    this.idLow = grown(this.idLow, new Uint32Array(rows));
    this.parentHigh = grown(this.parentHigh, new Uint32Array(rows));
    this.parentLow = grown(this.parentLow, new Uint32Array(rows));
    this.trace = grown(this.trace, new Uint32Array(rows));
    this.process = grown(this.process, new Uint32Array(rows));
    this.startNs = grown(this.startNs, new Float64Array(rows));
    this.durationNs = grown(this.durationNs, new Float64Array(rows));
    this.key = grown(this.key, new Uint32Array(rows));
    this.segment = grown(this.segment, new Uint32Array(rows));
    this.flags = grown(this.flags, new Uint16Array(rows));
    this.parentRow = grown(this.parentRow, new Int32Array(rows));
    this.firstChild = grown(this.firstChild, new Int32Array(rows));
    this.nextSibling = grown(this.nextSibling, new Int32Array(rows));
    this.nextInSegment = grown(this.nextInSegment, new Int32Array(rows));
    this.#waiting = grown(this.#waiting, new Int32Array(rows));
    this.#enterAll();
  }

  #growLinks(): void {
    const links = this.linkRow.length * 2;
    this.linkRow = grown(this.linkRow, new Uint32Array(links));
    this.linkHigh = grown(this.linkHigh, new Uint32Array(links));
    this.linkLow = grown(this.linkLow, new Uint32Array(links));
    this.linkTrace = grown(this.linkTrace, new Uint32Array(links));
  }
}
