/** Whether somebody was told what had to be told: an oracle that knows every incident. */
import type { Told } from "./sim-target.ts";

export interface Verdict {
  /** Incidents without a firing, or without a resolved though they ended. */
  readonly missed: readonly string[];
  /** Told that they are resolved before it was said that they fire. */
  readonly unordered: readonly string[];
  /** Messages that were answered and said again what one that was answered had said before. */
  readonly duplicates: number;
  /** One key with two contents, or a key that is more than incident, state and revision. */
  readonly changed: readonly string[];
  /** Told though they never had to be. */
  readonly unasked: readonly string[];
}

export interface Expected {
  readonly id: string;
  readonly isResolved: boolean;
}

/** `repeats`: that something fires may be said again and again. */
export function judgeTold(
  told: readonly Told[],
  expected: readonly Expected[],
  { repeats = false }: { readonly repeats?: boolean } = {},
): Verdict {
  const firstAt = new Map<string, number>();
  const answered = new Set<string>();
  const texts = new Map<string, string>();
  const changed: string[] = [];
  let duplicates = 0;
  for (const [index, message] of told.entries()) {
    let isDuplicate = false;
    for (const { key, text } of message.alerts) {
      const [incident, state, revision] = key.split(":") as [string, string, string];
      if (key !== `${incident}:${state}:${revision}`) changed.push(key);
      if (!firstAt.has(`${incident}:${state}`)) firstAt.set(`${incident}:${state}`, index);
      if ((texts.get(key) ?? text) !== text) changed.push(key);
      texts.set(key, text);
      const isRepeat = repeats && state === "firing";
      if (answered.has(key) && message.isAnswered && !isRepeat) isDuplicate = true;
      if (message.isAnswered) answered.add(key);
    }
    if (isDuplicate) duplicates += 1;
  }
  const atOf = (id: string, state: string): number => firstAt.get(`${id}:${state}`) ?? Infinity;
  const known = new Set(expected.map(({ id }) => id));
  return {
    missed: expected
      .filter(({ id, isResolved }) => {
        return atOf(id, "firing") === Infinity || (isResolved && atOf(id, "resolved") === Infinity);
      })
      .map(({ id }) => id),
    unordered: expected
      .filter(({ id }) => atOf(id, "resolved") <= atOf(id, "firing"))
      .filter(({ id }) => atOf(id, "resolved") !== Infinity)
      .map(({ id }) => id),
    duplicates,
    changed,
    unasked: [...firstAt.keys()]
      .map((key) => key.split(":")[0] as string)
      .filter((id) => !known.has(id)),
  };
}
