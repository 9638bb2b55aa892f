/**
 * Minutes in place of windows, for as long as the collector takes nothing: six windows share most
 * of their keys, so one record of all of them takes a fraction of the bytes, and the spool lasts
 * longer without a key being dropped.
 *
 * A minute is held until all of its windows are sealed; late windows go out with the next one.
 * Half-edges are left out, as nobody joins them minutes later. Windows under different thresholds
 * are not put together, nor more keys than a minute may have: then what is held goes out first.
 */
import { type Cube, createCube, mergeCube } from "../../sketch/cube.ts";
import { createHll, estimateHll, type Hll, mergeHll } from "../../sketch/hll.ts";
import type { BatchCounts } from "../../wire/window-content.ts";
import type { SealedWindow } from "./sealed-window.ts";

export const coarseLengthMs = 60_000;
/** Minutes held at a time, nearly all of them for late spans; for one more the oldest goes. */
const minutesMax = 16;

interface Minute {
  readonly cube: Cube;
  readonly thresholdsRevision: number;
  readonly demand: Hll;
  readonly folded: Map<string, number>;
  counts: BatchCounts;
  /** Start of the first window in it that was not late. */
  heldFromMs: number;
}

export class CoarseWindows {
  readonly #limits: { readonly keysMax: number; readonly edgesMax: number };
  readonly #minutes = new Map<number, Minute>();
  #releasedMs = Number.NEGATIVE_INFINITY;

  /** Limits of one minute. */
  constructor(limits: { readonly keysMax: number; readonly edgesMax: number }) {
    this.#limits = limits;
  }

  /** Spans of the minutes held. */
  get spans(): number {
    let spans = 0;
    for (const { counts } of this.#minutes.values()) spans += counts.spans;
    return spans;
  }

  /** What may be said when windows are sealed up to `sealedMs`: nothing held is before it. */
  watermarkMs(sealedMs: number): number {
    let earliest = sealedMs;
    for (const { heldFromMs } of this.#minutes.values()) earliest = Math.min(earliest, heldFromMs);
    return earliest;
  }

  /** Takes a window in; gives the minute that has to make room for it, if any. */
  add(
    window: SealedWindow,
    { demand, isLate }: { readonly demand: Hll; readonly isLate: boolean },
  ): SealedWindow[] {
    const windowMs = window.cube.windowStartMs;
    const startMs = Math.floor(windowMs / coarseLengthMs) * coarseLengthMs;
    const out = this.#makeRoom(startMs, window);
    const minute = this.#minutes.get(startMs) ?? this.#create(startMs, window);
    mergeCube(minute.cube, window.cube);
    mergeHll(minute.demand, demand);
    minute.counts = sumOf(minute.counts, window.counts);
    for (const { dimension, spans } of window.folded) {
      minute.folded.set(dimension, (minute.folded.get(dimension) ?? 0) + spans);
    }
    if (!isLate) minute.heldFromMs = Math.min(minute.heldFromMs, windowMs);
    return out;
  }

  /** The minutes that are whole when windows are sealed up to `sealedMs`; asked again, none. */
  takeDue(sealedMs: number): SealedWindow[] {
    const endMs = Math.floor(sealedMs / coarseLengthMs) * coarseLengthMs;
    if (endMs <= this.#releasedMs) return [];
    this.#releasedMs = endMs;
    return this.#takeBefore(endMs, sealedMs);
  }

  takeAll(sealedMs: number): SealedWindow[] {
    return this.#takeBefore(Number.POSITIVE_INFINITY, sealedMs);
  }

  #takeBefore(endMs: number, sealedMs: number): SealedWindow[] {
    const due = [...this.#minutes.keys()].filter((startMs) => startMs < endMs);
    return due.sort((a, b) => a - b).map((startMs) => this.#release(startMs, sealedMs));
  }

  /** Each says no more than was released with it. */
  #release(startMs: number, sealedMs: number): SealedWindow {
    const minute = this.#minutes.get(startMs) as Minute;
    this.#minutes.delete(startMs);
    const { cube, counts, folded, demand, thresholdsRevision } = minute;
    return {
      cube,
      counts,
      folded: [...folded].map(([dimension, spans]) => ({ dimension, spans })),
      keyDemand: Math.round(estimateHll(demand)),
      halfEdges: [],
      halfEdgeShift: 0,
      thresholdsRevision,
      windowLengthMs: coarseLengthMs,
      watermarkMs: this.watermarkMs(sealedMs),
    };
  }

  #makeRoom(startMs: number, window: SealedWindow): SealedWindow[] {
    const minute = this.#minutes.get(startMs);
    if (minute === undefined) {
      if (this.#minutes.size < minutesMax) return [];
      return [this.#release(Math.min(...this.#minutes.keys()), window.watermarkMs)];
    }
    const { cube, thresholdsRevision } = minute;
    const fits =
      thresholdsRevision === window.thresholdsRevision &&
      cube.keys.size + window.cube.keys.size <= this.#limits.keysMax &&
      cube.edges.size + window.cube.edges.size <= this.#limits.edgesMax;
    return fits ? [] : [this.#release(startMs, window.watermarkMs)];
  }

  #create(startMs: number, { cube, thresholdsRevision }: SealedWindow): Minute {
    // One window alone may have more than its share of a minute, and is taken whole.
    const limits = {
      keysMax: Math.max(this.#limits.keysMax, cube.keys.size),
      edgesMax: Math.max(this.#limits.edgesMax, cube.edges.size),
    };
    const minute: Minute = {
      cube: createCube(startMs, cube.keys.dimensions, limits),
      thresholdsRevision,
      demand: createHll(),
      folded: new Map(),
      counts: { spans: 0, errors: 0, rejected: 0, late: 0, unpaired: 0 },
      heldFromMs: Number.POSITIVE_INFINITY,
    };
    this.#minutes.set(startMs, minute);
    return minute;
  }
}

function sumOf(a: BatchCounts, b: BatchCounts): BatchCounts {
  return {
    spans: a.spans + b.spans,
    errors: a.errors + b.errors,
    rejected: a.rejected + b.rejected,
    late: a.late + b.late,
    unpaired: a.unpaired + b.unpaired,
  };
}
