/**
 * What a series usually is at a time of a period (a day, a week): a mean for each slot of it, read
 * by interpolation between the middles of slots.
 *
 *   means     Float32Array [slots]   NaN until a slot was seen
 *   slot, sum, count                 the slot being seen; it is learnt once it is over
 *
 * A slot is learnt as a whole when it ends, so a period teaches each slot once however fast samples
 * come: by 1 / (periods seen + 1) at first, by `weightMin` later.
 *
 * Source: Holt 1957 and Winters 1960, seasonal component of exponential smoothing.
 */
export interface SeasonProfile {
  readonly periodMs: number;
  readonly means: Float32Array;
  slot: number;
  sum: number;
  count: number;
  /** Slots learnt, all periods together. */
  learnt: number;
}

/** How much the newest period counts once several were seen: about the last five count. */
const weightMin = 0.2;

export function createSeasonProfile(periodMs: number, slots: number): SeasonProfile {
  const means = new Float32Array(slots).fill(Number.NaN);
  return { periodMs, means, slot: -1, sum: 0, count: 0, learnt: 0 };
}

/** The usual value at a time; undefined where that slot was never seen. */
export function seasonAt(profile: SeasonProfile, timeMs: number): number | undefined {
  const { means } = profile;
  const position = positionOf(profile, timeMs);
  const slot = Math.floor(position);
  const own = means[slot] as number;
  if (Number.isNaN(own)) return undefined;
  const offset = position - slot - 0.5;
  const beside = slot + (offset < 0 ? means.length - 1 : 1);
  const other = means[beside % means.length] as number;
  return Number.isNaN(other) ? own : own + (other - own) * Math.abs(offset);
}

export function learnSeason(profile: SeasonProfile, timeMs: number, value: number): void {
  const slot = Math.floor(positionOf(profile, timeMs));
  if (slot !== profile.slot) {
    close(profile);
    profile.slot = slot;
  }
  profile.sum += value;
  profile.count++;
}

function close(profile: SeasonProfile): void {
  const { means, slot, sum, count } = profile;
  if (count === 0) return;
  const mean = sum / count;
  const before = means[slot] as number;
  const periods = Math.floor(profile.learnt / means.length);
  const weight = Math.max(weightMin, 1 / (periods + 1));
  means[slot] = Number.isNaN(before) ? mean : before + weight * (mean - before);
  profile.learnt++;
  profile.sum = 0;
  profile.count = 0;
}

function positionOf({ periodMs, means }: SeasonProfile, timeMs: number): number {
  const phase = timeMs % periodMs;
  return ((phase < 0 ? phase + periodMs : phase) / periodMs) * means.length;
}
