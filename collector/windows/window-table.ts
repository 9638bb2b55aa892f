/**
 * Which windows are open, which closed ones have late data waiting, and what is due.
 *
 *   open     not closed yet: closes when every live stream's watermark passed its end, or 15 s after
 *   late     closed less than 10 minutes ago: merged again and decided again
 *   history  closed less than 48 hours ago, or a whole minute of an agent that was long away from
 *            its collector: merged, not decided
 *   expired  older: counted, nothing else
 *   future   further ahead than two clocks may differ: counted, nothing else
 *
 * No clock in here: time comes in with each call.
 */
import type { WindowBatch } from "../../wire/sketch-batch.ts";
import { clockSkewMs } from "../ingest/stream-state.ts";
import type { WindowPlace } from "../store/levels.ts";
import type { Losses } from "./add-cube.ts";
import {
  addBatch,
  createWindowState,
  type WindowLimits,
  type WindowState,
} from "./window-state.ts";

export type Fate = "open" | "late" | "history" | "expired" | "future";

/** Data of this fate goes into no window. */
export function isAside(fate: string): boolean {
  return fate === "expired" || fate === "future";
}

export interface WindowTableOptions {
  readonly windowLengthMs: number;
  readonly limits: WindowLimits;
  readonly losses: Losses;
  /** Late data older than this is not kept. */
  readonly historyMs: number;
}

/** Late data of one window, collected for a moment so that a burst revises it once. */
export interface LateWindow {
  readonly window: WindowState;
  readonly decide: boolean;
  readonly dueMs: number;
}

/** What the streams say about event time. */
export interface Heard {
  /** Before this no live stream expects more; undefined when none says. */
  readonly watermarkMs: number | undefined;
  readonly isAnyoneExpected: boolean;
}

export interface Due {
  readonly close: readonly WindowState[];
  readonly revise: readonly LateWindow[];
}

const closeAfterMs = 15_000;
const decideLateMs = 600_000;
const reviseAfterMs = 1_000;
/** Windows without any data that are closed in one go; more than these are skipped. */
const emptyWindowsMax = 60;

export class WindowTable {
  readonly #options: WindowTableOptions;
  readonly #open = new Map<number, WindowState>();
  /** By length and start. */
  readonly #late = new Map<string, LateWindow>();
  #closedThroughMs: number | undefined;
  #startedMs = 0;
  /** Before this there was nobody to hear, so an empty window says nothing. */
  #listeningSinceMs = Number.POSITIVE_INFINITY;

  constructor(options: WindowTableOptions) {
    this.#options = options;
  }

  get openCount(): number {
    return this.#open.size;
  }

  get keys(): number {
    let keys = 0;
    for (const { cube } of this.#open.values()) keys += cube.keys.size;
    return keys;
  }

  /** The hash key of a window that has data in memory. */
  hashKeyOf(place: WindowPlace): string {
    const open = this.#isFinest(place) ? this.#open.get(place.startMs) : undefined;
    return (open ?? this.#late.get(nameOf(place))?.window)?.hashKeyId ?? "";
  }

  #isFinest({ lengthMs }: WindowPlace): boolean {
    return lengthMs === this.#options.windowLengthMs;
  }

  /** The process takes batches from now on. */
  start(nowMs: number): void {
    this.#startedMs = nowMs;
    this.#listeningSinceMs = nowMs;
  }

  /** Windows up to `endMs` were closed, by this process or an earlier one. */
  markClosed(endMs: number): void {
    this.#closedThroughMs = Math.max(this.#closedThroughMs ?? 0, endMs);
  }

  fateOf(batch: WindowBatch, nowMs: number): Fate {
    return this.#fateOf(placeOf(batch), nowMs);
  }

  #fateOf(place: WindowPlace, nowMs: number): Fate {
    const { startMs, lengthMs } = place;
    if (startMs > nowMs + clockSkewMs) return "future";
    const lateMs = nowMs - (startMs + lengthMs);
    if (lateMs > this.#options.historyMs) return "expired";
    if (lateMs > decideLateMs || !this.#isFinest(place)) return "history";
    return startMs < (this.#closedThroughMs ?? 0) ? "late" : "open";
  }

  /**
   * Adds a durable batch to the window at `place`, its own or a coarser one around it. What was let
   * in is never expired any more.
   */
  add(
    batch: WindowBatch,
    { place, lsn, nowMs }: { place: WindowPlace; lsn: number; nowMs: number },
  ): void {
    const { limits, losses } = this.#options;
    const fate = this.#fateOf(place, nowMs);
    // A replay opens windows before it is known which are closed. There is one state of a window,
    // or the later records of one would be stored first, and those of the other pass for stored.
    const open = this.#isFinest(place) ? this.#open.get(place.startMs) : undefined;
    const window =
      open ?? (fate === "open" ? this.#openWindow(place) : this.#lateWindow(fate, place, nowMs));
    addBatch(window, batch, { lsn, limits, losses });
  }

  #openWindow(place: WindowPlace): WindowState {
    let window = this.#open.get(place.startMs);
    if (window === undefined) {
      window = createWindowState(place, this.#options.limits);
      this.#open.set(place.startMs, window);
    }
    return window;
  }

  #lateWindow(fate: Fate, place: WindowPlace, nowMs: number): WindowState {
    let late = this.#late.get(nameOf(place));
    if (late === undefined) {
      late = {
        window: createWindowState(place, this.#options.limits),
        decide: fate === "late",
        dueMs: nowMs + reviseAfterMs,
      };
      this.#late.set(nameOf(place), late);
    }
    return late.window;
  }

  /** Takes out what is due, windows in ascending order. */
  takeDue(nowMs: number, heard: Heard): Due {
    const { watermarkMs, isAnyoneExpected } = heard;
    if (!isAnyoneExpected) this.#listeningSinceMs = nowMs;
    // Just started, the streams heard so far need not be all there are.
    const trusted = nowMs - this.#startedMs >= closeAfterMs;
    const horizonMs = Math.max(trusted ? (watermarkMs ?? 0) : 0, nowMs - closeAfterMs);
    const revise = [...this.#late.values()].filter(({ dueMs }) => dueMs <= nowMs);
    for (const { window } of revise) this.#late.delete(nameOf(window));
    return { close: this.#takeOpen(horizonMs, isAnyoneExpected), revise };
  }

  #takeOpen(horizonMs: number, isAnyoneExpected: boolean): WindowState[] {
    const length = this.#options.windowLengthMs;
    const due = [...this.#open.values()].filter(({ startMs }) => startMs + length <= horizonMs);
    const empty = isAnyoneExpected ? this.#emptyWindows(horizonMs) : [];
    const close = [...due, ...empty].sort((a, b) => a.startMs - b.startMs);
    for (const { startMs } of due) this.#open.delete(startMs);
    const last = close.at(-1);
    if (last !== undefined) this.markClosed(last.startMs + length);
    return close;
  }

  /**
   * Windows of which nothing came. Quiet is an observation when those expected reported it, and
   * when they did not, the coverage says so.
   */
  #emptyWindows(horizonMs: number): WindowState[] {
    const length = this.#options.windowLengthMs;
    const lastStartMs = Math.floor(horizonMs / length) * length - length;
    const firstStartMs = Math.max(
      this.#closedThroughMs ?? Number.POSITIVE_INFINITY,
      Math.ceil(this.#listeningSinceMs / length) * length,
      lastStartMs - (emptyWindowsMax - 1) * length,
    );
    const windows: WindowState[] = [];
    for (let startMs = firstStartMs; startMs <= lastStartMs; startMs += length) {
      if (!this.#open.has(startMs)) {
        windows.push(createWindowState({ startMs, lengthMs: length }, this.#options.limits));
      }
    }
    return windows;
  }
}

/** The window a batch is about. */
export function placeOf({ cube, windowLengthMs }: WindowBatch): WindowPlace {
  return { startMs: cube.windowStartMs, lengthMs: windowLengthMs };
}

function nameOf({ startMs, lengthMs }: WindowPlace): string {
  return `${lengthMs}/${startMs}`;
}
