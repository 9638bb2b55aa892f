/** The time a service takes, and its luck: like real ones, seeded so that a run can be repeated. */
import { setTimeout as delay } from "node:timers/promises";
import { createPrng } from "../base/prng.ts";

/** One in this many pieces of work takes `hiccupMs` longer. */
const hiccupOneIn = 2000;
const hiccupMs = 150;
/** Spread of the log-normal time around its median. */
const spread = 0.3;

export const chance = createPrng(Number(process.env.SHOP_SEED ?? 1));

/** Takes about `medianMs`. */
export async function work(medianMs: number): Promise<void> {
  const radius = Math.sqrt(-2 * Math.log(1 - chance.next()));
  const normal = radius * Math.cos(2 * Math.PI * chance.next());
  const hiccup = chance.integer(hiccupOneIn) === 0 ? hiccupMs : 0;
  await delay(medianMs * Math.exp(spread * normal) + hiccup);
}
