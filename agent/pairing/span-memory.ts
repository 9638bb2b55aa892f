/**
 * The spans of the open windows, and of windows sealed a moment ago, by their ids, so that parent
 * and child find each other whatever the order they arrive in. One row of typed arrays a span,
 * about 70 bytes with its table slots; rows grow on demand up to `spansMax`.
 *
 *   byId      open addressing, span id and trace -> row
 *   byParent  open addressing, parent id and trace -> first of the rows with that parent, which
 *             `nextSibling` chains
 *   links     (row, linked id, linked trace), in the order of rows
 *
 * A span id that is already there is a repetition, as an exporter's retry makes: it is not kept
 * again, so no child or edge is counted twice. Probes are bounded and the place of an id depends
 * on a secret seed, so chosen ids cannot make a table slow; what finds no room is refused.
 */
export interface RememberedSpan {
  idHigh: number;
  idLow: number;
  parentHigh: number;
  parentLow: number;
  /** `traceHash` of the trace id. */
  trace: number;
  /** Which process it ran in: equal for spans of equal resources. */
  process: number;
  /** Nanoseconds since the memory's epoch. */
  startNs: number;
  durationNs: number;
  /** The key's id within its segment. */
  key: number;
  segment: number;
  flags: number;
}

export function emptyRow(): RememberedSpan {
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

/** Bits of `flags`; the low three are the index of the kind in `spanKinds`. */
export const kindMask = 7;
export const failedFlag = 8;
export const slowFlag = 16;
/** The parent is known to be in another process. */
export const remoteFlag = 32;
/** A call to a database, which reports no span of its own. */
export const databaseFlag = 64;
/** Its edge from a caller has been counted. */
export const edgeFlag = 128;
/** As a caller it has found a callee. */
export const pairedFlag = 256;

export type Remembered = "kept" | "repeated" | "full";

const rowsInitial = 1_024;
const probesMax = 256;
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
  nextSibling = new Int32Array(rowsInitial);
  nextInSegment = new Int32Array(rowsInitial);
  linkRow = new Uint32Array(rowsInitial);
  linkHigh = new Uint32Array(rowsInitial);
  linkLow = new Uint32Array(rowsInitial);
  linkTrace = new Uint32Array(rowsInitial);
  readonly #seed: number;
  #byId = new Int32Array(rowsInitial * 2).fill(none);
  #byParent = new Int32Array(rowsInitial * 2).fill(none);
  #firstInSegment = new Map<number, number>();

  constructor(options: { spansMax: number; seed: number }) {
    this.spansMax = options.spansMax;
    this.linksMax = options.spansMax;
    this.#seed = options.seed;
  }

  /** Copies the span in; its row is `size - 1` when kept. */
  remember(span: RememberedSpan): Remembered {
    if (this.size === this.spansMax) return "full";
    if (this.size === this.idHigh.length) this.#grow();
    if (this.find(span.idHigh, span.idLow, span.trace) !== none) return "repeated";
    const row = this.size;
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
    return this.#enter(row) ? "kept" : "full";
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
    const slot = this.#slotOfId(idHigh, idLow, trace);
    return slot === none ? none : (this.#byId[slot] as number);
  }

  /** The first row whose parent is this row; `nextSibling` leads on, -1 ends. */
  firstChild(row: number): number {
    const idHigh = this.idHigh[row] as number;
    const idLow = this.idLow[row] as number;
    const slot = this.#slotOfParent(idHigh, idLow, this.trace[row] as number);
    return slot === none ? none : (this.#byParent[slot] as number);
  }

  /** The first row of a segment; `nextInSegment` leads on, -1 ends. */
  firstInSegment(segment: number): number {
    return this.#firstInSegment.get(segment) ?? none;
  }

  /** Forgets the spans of these segments and closes the gaps they leave. */
  release(segments: ReadonlySet<number>): void {
    this.#byId.fill(none);
    this.#byParent.fill(none);
    this.#firstInSegment.clear();
    const rows = this.size;
    const links = this.linkCount;
    this.size = 0;
    this.linkCount = 0;
    let link = 0;
    for (let row = 0; row < rows; row++) {
      while (link < links && (this.linkRow[link] as number) < row) link++;
      if (segments.has(this.segment[row] as number)) continue;
      if (!this.#move(row)) continue;
      for (; link < links && this.linkRow[link] === row; link++) {
        this.link(
          this.linkHigh[link] as number,
          this.linkLow[link] as number,
          this.linkTrace[link] as number,
        );
      }
    }
  }

  /** Re-enters a row at the end of those already moved, which is at or before its old place. */
  #move(from: number): boolean {
    const to = this.size;
    this.idHigh[to] = this.idHigh[from] as number;
    this.idLow[to] = this.idLow[from] as number;
    this.parentHigh[to] = this.parentHigh[from] as number;
    this.parentLow[to] = this.parentLow[from] as number;
    this.trace[to] = this.trace[from] as number;
    this.process[to] = this.process[from] as number;
    this.startNs[to] = this.startNs[from] as number;
    this.durationNs[to] = this.durationNs[from] as number;
    this.key[to] = this.key[from] as number;
    this.segment[to] = this.segment[from] as number;
    this.flags[to] = this.flags[from] as number;
    return this.#enter(to);
  }

  /** Puts the filled row `size` into the tables. */
  #enter(row: number): boolean {
    const slot = this.#slotOfId(
      this.idHigh[row] as number,
      this.idLow[row] as number,
      this.trace[row] as number,
    );
    if (slot === none || !this.#addToParent(row)) return false;
    this.#byId[slot] = row;
    const segment = this.segment[row] as number;
    this.nextInSegment[row] = this.firstInSegment(segment);
    this.#firstInSegment.set(segment, row);
    this.size++;
    return true;
  }

  #addToParent(row: number): boolean {
    this.nextSibling[row] = none;
    const parentHigh = this.parentHigh[row] as number;
    const parentLow = this.parentLow[row] as number;
    if (parentHigh === 0 && parentLow === 0) return true;
    const slot = this.#slotOfParent(parentHigh, parentLow, this.trace[row] as number);
    if (slot === none) return false;
    this.nextSibling[row] = this.#byParent[slot] as number;
    this.#byParent[slot] = row;
    return true;
  }

  /** Where this id is or would go in `byId`; -1 when the probes are used up. */
  #slotOfId(idHigh: number, idLow: number, trace: number): number {
    const table = this.#byId;
    const mask = table.length - 1;
    let slot = mix(this.#seed, idHigh, idLow) & mask;
    for (let probe = 0; probe < probesMax; probe++) {
      const row = table[slot] as number;
      if (row === none) return slot;
      if (this.idLow[row] === idLow && this.idHigh[row] === idHigh && this.trace[row] === trace) {
        return slot;
      }
      slot = (slot + 1) & mask;
    }
    return none;
  }

  #slotOfParent(idHigh: number, idLow: number, trace: number): number {
    const table = this.#byParent;
    const mask = table.length - 1;
    let slot = mix(this.#seed, idHigh, idLow) & mask;
    for (let probe = 0; probe < probesMax; probe++) {
      const row = table[slot] as number;
      if (row === none) return slot;
      if (
        this.parentLow[row] === idLow &&
        this.parentHigh[row] === idHigh &&
        this.trace[row] === trace
      ) {
        return slot;
      }
      slot = (slot + 1) & mask;
    }
    return none;
  }

  /** Doubles the rows, and the tables with them. */
  #grow(): void {
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
    this.nextSibling = grown(this.nextSibling, new Int32Array(rows));
    this.nextInSegment = grown(this.nextInSegment, new Int32Array(rows));
    this.#byId = new Int32Array(rows * 2);
    this.#byParent = new Int32Array(rows * 2);
    this.release(new Set());
  }

  #growLinks(): void {
    const links = this.linkRow.length * 2;
    this.linkRow = grown(this.linkRow, new Uint32Array(links));
    this.linkHigh = grown(this.linkHigh, new Uint32Array(links));
    this.linkLow = grown(this.linkLow, new Uint32Array(links));
    this.linkTrace = grown(this.linkTrace, new Uint32Array(links));
  }
}

function grown<T extends Uint32Array | Uint16Array | Int32Array | Float64Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

function mix(seed: number, high: number, low: number): number {
  let hash = Math.imul(low ^ seed, 0x9e3779b1) ^ high;
  hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13) ^ seed, 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
