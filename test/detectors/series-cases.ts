/** Series without a fault, of all kinds that are hard to be quiet about. */
import { createPrng } from "../../base/prng.ts";

export const secondMs = 1_000;
const dayMs = 86_400_000;

export interface DrawContext {
  readonly row: number;
  readonly timeMs: number;
  /** In [0, 1). */
  readonly uniform: () => number;
  readonly normal: () => number;
}

export type Draw = (context: DrawContext) => number;

interface Length {
  readonly seed: number;
  readonly rows: number;
  readonly stepMs: number;
}

export function valuesOf(draw: Draw, { seed, rows, stepMs }: Length): number[] {
  const prng = createPrng(seed);
  const uniform = (): number => prng.next();
  const normal = (): number =>
    Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  return Array.from({ length: rows }, (_, row) =>
    draw({ row, timeMs: row * stepMs, uniform, normal }),
  );
}

const phaseOf = (timeMs: number): number => (2 * Math.PI * timeMs) / dayMs;

export const ordinarySeries: readonly (readonly [string, Draw])[] = [
  ["noise", ({ normal }) => 100 + normal()],
  ["a daily wave", ({ timeMs, normal }) => 100 + 30 * Math.sin(phaseOf(timeMs)) + 2 * normal()],
  [
    "quiet weekends",
    ({ timeMs, normal }) =>
      (Math.floor(timeMs / dayMs) % 7 < 5 ? 100 : 60) +
      20 * Math.sin(phaseOf(timeMs)) +
      2 * normal(),
  ],
  [
    "heavy tails",
    ({ normal }) => normal() / Math.sqrt((normal() ** 2 + normal() ** 2 + normal() ** 2) / 3),
  ],
  ["skewed", ({ normal }) => Math.exp(1.5 * normal())],
  ["few distinct values", ({ uniform }) => Math.floor(4 * uniform())],
  ["a rare event", ({ uniform }) => (uniform() < 0.02 ? 1 : 0)],
  ["a slow trend", ({ row, normal }) => 0.002 * row + normal()],
];
