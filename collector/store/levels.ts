/**
 * The lengths in which history is kept: windows as agents send them, and three coarser ones, each
 * a merge of those below it. Finer levels are kept for less long, and each level may fill its
 * share of the disk before its oldest windows have to go.
 */
import { assert } from "../../base/errors.ts";

/** A window of some level. */
export interface WindowPlace {
  readonly startMs: number;
  readonly lengthMs: number;
}

export interface Level {
  readonly lengthMs: number;
  readonly retentionMs: number;
  /** Of the bytes the store may fill; the shares of all levels sum to 1. */
  readonly share: number;
}

export interface LevelOptions {
  /** Length of a window as agents send it. */
  readonly windowLengthMs: number;
  /** How long windows of that length are kept, and those of the coarser ones, finest first. */
  readonly retentionMs: readonly [number, number, number, number];
}

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

/** What an agent that was long away sends its windows in. */
export const coarseWindowMs = minuteMs;
const coarserMs = [coarseWindowMs, 10 * minuteMs, hourMs] as const;
const shares: readonly [number, ...number[]] = [0.4, 0.3, 0.2, 0.1];

/** Two days: as long as late data is taken. Then two weeks, a quarter, and a year with a margin. */
const defaultRetentionMs = [2 * dayMs, 14 * dayMs, 90 * dayMs, 400 * dayMs] as const;
const defaultOptions: LevelOptions = { windowLengthMs: 10_000, retentionMs: defaultRetentionMs };

/** The levels, finest first. A coarser length is left out unless finer windows fill it exactly. */
export function createLevels(options: LevelOptions = defaultOptions): readonly Level[] {
  const { windowLengthMs, retentionMs } = options;
  assert(windowLengthMs > 0, "a window has a length");
  const finest = { lengthMs: windowLengthMs, retentionMs: retentionMs[0], share: shares[0] };
  const kept: Level[] = [finest];
  for (const [index, lengthMs] of coarserMs.entries()) {
    const finer = kept.at(-1)?.lengthMs ?? 0;
    if (lengthMs <= finer || lengthMs % finer !== 0) continue;
    const retention = retentionMs[index + 1] as number;
    kept.push({ lengthMs, retentionMs: retention, share: shares[index + 1] as number });
  }
  const sum = kept.reduce((total, { share }) => total + share, 0);
  return kept.map((level) => ({ ...level, share: level.share / sum }));
}

/** The window of `lengthMs` that contains the time. */
export function windowAround(timeMs: number, lengthMs: number): WindowPlace {
  return { startMs: Math.floor(timeMs / lengthMs) * lengthMs, lengthMs };
}
