/** How long to leave a collector alone that did not take something. */

const pauseMsMin = 500;
const pauseMsMax = 30_000;
/** One that cannot be reached is not spared by longer pauses, and is to be found soon. */
const unreachablePauseMsMax = 2_000;
/** So that agents which were all told the same do not come back together. */
const spreadShare = 0.5;

/**
 * The pause after this many failures in a row: full jitter over a doubling bound, and not before
 * the time the collector asked for. `chance` is uniform in [0, 1).
 */
export function pauseMs(options: {
  readonly failures: number;
  readonly chance: number;
  readonly wasAnswered: boolean;
  readonly retryAfterMs: number | undefined;
}): number {
  const { failures, chance, wasAnswered, retryAfterMs = 0 } = options;
  const most = wasAnswered ? pauseMsMax : unreachablePauseMsMax;
  const bound = Math.min(most, pauseMsMin * 2 ** (failures - 1));
  return Math.ceil(Math.max(bound * chance, retryAfterMs * (1 + spreadShare * chance)));
}
