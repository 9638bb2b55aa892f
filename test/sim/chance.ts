/** Small words for seeded chance. */
import { createPrng, type Prng } from "../../base/prng.ts";

/** Independent chance for one part of a run, so that a change of one part moves no other. */
export function chanceOf(seed: number, part: string): Prng {
  let salt = Math.imul(seed + 1, 0x9e37_79b1);
  for (let at = 0; at < part.length; at++) {
    salt = Math.imul(salt ^ part.charCodeAt(at), 0x0100_0193);
  }
  return createPrng(salt ^ (salt >>> 15));
}

export function happens(prng: Prng, probability: number): boolean {
  return prng.next() < probability;
}

/** Uniform in [low, high). */
export function between(prng: Prng, low: number, high: number): number {
  return low + prng.next() * (high - low);
}

/** Uniform in its logarithm, so that short and long ones are as common. */
export function spread(prng: Prng, low: number, high: number): number {
  return low * (high / low) ** prng.next();
}
