/**
 * Leaf tables of requests that arrive against those that should: Poisson counts about a forecast
 * from which each key strays on its own, and one or two combinations that lose most of theirs, or
 * all keys alike, or none.
 */
import { createPrng } from "../../../base/prng.ts";
import { normal, poisson, uniform } from "../chance.ts";
import { drawCauses, drawKeys, drawSizes, isInside, nameOf, names } from "./draw-incidents.ts";
import type { DrawnMeasures } from "./draw-measures.ts";

export interface TrafficDesign {
  /** About how many keys. */
  readonly leaves: number;
  readonly happened: 1 | 2 | "outside" | "nothing";
}

export function drawTraffic({ leaves, happened }: TrafficDesign, seed: number): DrawnMeasures {
  const prng = createPrng(seed);
  const sizes = drawSizes(prng, leaves);
  const keys = drawKeys(prng, { sizes, spans: leaves * uniform(prng, 3, 40), usual: 0.01 });
  const stray = uniform(prng, 0.02, 0.3);
  const kept = uniform(prng, 0, 0.4);
  const wanted = typeof happened === "number" ? happened : 0;
  // As if each lost request were a bad one: enough of them that there is something to find.
  const causes = drawCauses(prng, { keys, usual: 0.01, worse: 99 / (1 + kept), wanted });
  return {
    dimensions: names.slice(0, sizes.length),
    leaves: keys.map(({ codes, count }) => {
      const isHit = happened === "outside" || causes.some((cause) => isInside(codes, cause));
      const mean = count * Math.exp(stray * normal(prng) - stray ** 2 / 2) * (isHit ? kept : 1);
      return { key: codes.map(String), actual: poisson(prng, mean), forecast: count };
    }),
    labelled: causes.map(nameOf),
  };
}
