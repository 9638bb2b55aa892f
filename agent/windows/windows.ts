/**
 * The open segments of an agent, by event time.
 *
 * Windows are 10 s, aligned to the epoch, and a span belongs to the one it ended in. A window is
 * sealed 5 s after its end; until `watermarkMs` every window has been. What comes later opens a new
 * segment of the old window, which goes out as a delta at the next tick. Spans that ended more than
 * 48 h ago or lie more than 30 s ahead are refused.
 */
import type { KeyTable } from "../../sketch/key.ts";
import type { KeyLimits } from "../reduce/key-admission.ts";
import { CellLog } from "./cell-log.ts";
import { createSegment, type Segment } from "./segment.ts";
import type { ThresholdTable } from "./threshold-table.ts";

export const windowLengthMs = 10_000;
/** How long after its end a window waits for spans on their way. */
const graceMs = 5_000;
const pastMsMax = 48 * 3_600_000;
export const futureMsMax = 30_000;
/** How long after its seal a segment's spans can still be found as parents and children. */
const rememberedMs = 10_000;
/**
 * Deltas open at a time: ten minutes of backlog. Spans of further old windows are refused until the
 * next tick, or one request full of old times would push every batch out of the queue.
 */
export const lateSegmentsMax = 64;

export type Refusal = "past" | "future" | "crowded";

/** The end of the oldest spans that are taken, milliseconds. */
export function oldestEndMs(nowMs: number): number {
  return nowMs - pastMsMax;
}

export function newestEndMs(nowMs: number): number {
  return nowMs + futureMsMax;
}

/** Why the time of a span that ended at `endMs` is not taken; undefined when it is. */
export function refusalOf(endMs: number, nowMs: number): "past" | "future" | undefined {
  if (endMs < oldestEndMs(nowMs)) return "past";
  return endMs > newestEndMs(nowMs) ? "future" : undefined;
}

export function windowStartOf(endMs: number): number {
  return Math.floor(endMs / windowLengthMs) * windowLengthMs;
}

/** The time before which every window is due at `nowMs`. */
export function watermarkAt(nowMs: number): number {
  return windowStartOf(nowMs - graceMs);
}

export interface WindowsOptions {
  readonly dimensions: readonly string[];
  readonly limits: KeyLimits;
  /** Deltas open at a time; `lateSegmentsMax` unless several share it. */
  readonly lateSegmentsMax?: number;
  /** Called with a segment that has to go out; it is closed when this returns. */
  seal(segment: Segment): void;
}

interface Adopted {
  /** Of the first window they are for. */
  readonly fromMs: number;
  readonly table: ThresholdTable;
}

/** Thresholds for windows to come, and those of the windows that may still be opened late. */
export const adoptedMax = 8;

export class Windows {
  /** What spans add to the cells of open segments. */
  readonly cellLog = new CellLog();
  readonly #options: WindowsOptions;
  readonly #open = new Map<number, Segment>();
  readonly #tables = new Map<number, KeyTable>();
  readonly #sealedAtMs = new Map<number, number>();
  #nextId = 1;
  #nowMs: number;
  /** Oldest first. */
  #adopted: readonly Adopted[];
  /** Every window that ended by then has been sealed. */
  watermarkMs: number;

  constructor(options: WindowsOptions, nowMs: number, thresholds: ThresholdTable) {
    this.#options = options;
    this.#adopted = [{ fromMs: Number.NEGATIVE_INFINITY, table: thresholds }];
    this.#nowMs = nowMs;
    this.watermarkMs = watermarkAt(nowMs);
  }

  /** Key tables of the open segments and of the sealed ones that are remembered. */
  get tables(): ReadonlyMap<number, KeyTable> {
    return this.#tables;
  }

  /** The newest ones. */
  get thresholds(): ThresholdTable {
    return (this.#adopted.at(-1) as Adopted).table;
  }

  /** Puts thresholds in force for windows from `fromMs` on that are not open yet. */
  adopt(table: ThresholdTable, fromMs = Number.NEGATIVE_INFINITY): void {
    const before = this.#adopted.filter((other) => other.fromMs < fromMs);
    this.#adopted = [...before, { fromMs, table }].slice(-adoptedMax);
  }

  get open(): Iterable<Segment> {
    return this.#open.values();
  }

  get openCount(): number {
    return this.#open.size;
  }

  /** Keys of all open segments. */
  get keyCount(): number {
    let count = 0;
    for (const segment of this.#open.values()) count += segment.cube.keys.size;
    return count;
  }

  isLate(windowStartMs: number): boolean {
    return windowStartMs < this.watermarkMs;
  }

  /** The segment that takes spans of this window; undefined when too many deltas are open. */
  segmentAt(windowStartMs: number): Segment | undefined {
    const known = this.#open.get(windowStartMs);
    if (known !== undefined) return known;
    const lateMax = this.#options.lateSegmentsMax ?? lateSegmentsMax;
    if (this.isLate(windowStartMs) && this.#late().length >= lateMax) return undefined;
    const segment = createSegment({
      id: this.#nextId++,
      windowStartMs,
      dimensions: this.#options.dimensions,
      limits: this.#options.limits,
      thresholds: this.#thresholdsOf(windowStartMs),
    });
    this.#open.set(windowStartMs, segment);
    this.#tables.set(segment.id, segment.cube.keys);
    return segment;
  }

  /**
   * Seals what is due, oldest window first; true when the watermark moved. It moves with each
   * window, so no batch says more than was handed over with it.
   */
  seal(nowMs: number): boolean {
    this.#nowMs = Math.max(this.#nowMs, nowMs);
    const before = this.watermarkMs;
    const after = Math.max(before, watermarkAt(nowMs));
    const due = this.#sorted().filter((segment) => segment.windowStartMs < after);
    for (const segment of due) {
      const isLast = segment === due.at(-1);
      const sealedUntilMs = isLast ? after : segment.windowStartMs + windowLengthMs;
      this.watermarkMs = Math.max(this.watermarkMs, sealedUntilMs);
      this.#close(segment);
    }
    this.watermarkMs = after;
    return after > before;
  }

  /** Seals everything, due or not: nothing more is coming. */
  sealAll(nowMs: number): void {
    const open = this.#sorted();
    for (const segment of open) {
      if (segment === open.at(-1)) this.watermarkMs = Math.max(this.watermarkMs, nowMs);
      this.#close(segment);
    }
    this.watermarkMs = Math.max(this.watermarkMs, nowMs);
  }

  /**
   * The clock was found to be ahead: windows that are not over yet are waited for again. What was
   * sealed of them goes on as deltas. Those so far ahead that their spans would be refused are not
   * waited for: nothing more comes, and a kill until then would take what is there.
   */
  setBack(nowMs: number): void {
    this.#nowMs = nowMs;
    this.watermarkMs = Math.min(this.watermarkMs, watermarkAt(nowMs));
    const newestMs = newestEndMs(nowMs);
    const ahead = this.#sorted().filter(({ windowStartMs }) => windowStartMs > newestMs);
    for (const segment of ahead) this.#close(segment);
  }

  /** Seals the late segments early when all open ones together have more than `keysMax` keys. */
  relieve(keysMax: number): void {
    if (this.keyCount > keysMax) for (const segment of this.#late()) this.#close(segment);
  }

  /** The segments nobody may look for any more; they are forgotten here. */
  takeExpired(nowMs: number): ReadonlySet<number> {
    const expired = new Set<number>();
    for (const [id, sealedAtMs] of this.#sealedAtMs) {
      if (nowMs >= sealedAtMs + rememberedMs) expired.add(id);
    }
    for (const id of expired) {
      this.#sealedAtMs.delete(id);
      this.#tables.delete(id);
    }
    return expired;
  }

  /**
   * A segment id for spans of this open segment that are to be found by others but to say nothing
   * of themselves any more.
   */
  createShadow(segment: Segment): number {
    const id = this.#nextId++;
    this.#tables.set(id, segment.cube.keys);
    this.#sealedAtMs.set(id, this.#nowMs);
    return id;
  }

  #thresholdsOf(windowStartMs: number): ThresholdTable {
    const known = this.#adopted.findLast(({ fromMs }) => fromMs <= windowStartMs);
    return (known ?? (this.#adopted[0] as Adopted)).table;
  }

  #close(segment: Segment): void {
    this.#open.delete(segment.windowStartMs);
    this.#sealedAtMs.set(segment.id, this.#nowMs);
    this.cellLog.drain();
    this.#options.seal(segment);
    for (const number of segment.cellNumbers) {
      if (number !== undefined) this.cellLog.leave(number);
    }
  }

  #late(): Segment[] {
    return this.#sorted().filter((segment) => this.isLate(segment.windowStartMs));
  }

  #sorted(): Segment[] {
    return [...this.#open.values()].sort((a, b) => a.windowStartMs - b.windowStartMs);
  }
}
