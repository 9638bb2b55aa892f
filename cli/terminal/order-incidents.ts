import type { Incident } from "../../wire/api-types.ts";

/** Firing ones first, then the newest. */
export function newestFirst<T extends Incident>(incidents: readonly T[]): T[] {
  const rank = ({ status }: Incident): number => (status === "firing" ? 0 : 1);
  return [...incidents].sort((a, b) => rank(a) - rank(b) || b.startedAtMs - a.startedAtMs);
}
