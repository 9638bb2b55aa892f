/** Runs seeds on several threads; each seed is a world of its own, so the order does not matter. */
import { Worker } from "node:worker_threads";
import type { SimResult } from "./sim.ts";

export interface SeedRange {
  readonly from: number;
  readonly count: number;
  readonly threads: number;
  /** Gives up as soon as one seed is violated. */
  readonly untilViolation: boolean;
}

/** A worker asks for seeds until it gets undefined. */
export type SeedMessage = number | undefined;

/** Most objects of a run die within it; room for them spares copying. */
const youngMegabytes = 64;

export async function runSeeds(
  range: SeedRange,
  onResult: (result: SimResult) => void,
): Promise<void> {
  let next = range.from;
  const end = range.from + range.count;
  let isOver = false;
  const takeSeed = (): SeedMessage => (isOver || next >= end ? undefined : next++);
  const threads = Array.from({ length: Math.min(range.threads, range.count) }, () =>
    runThread(takeSeed, (result) => {
      if (range.untilViolation && result.violations.length > 0) isOver = true;
      onResult(result);
    }),
  );
  await Promise.all(threads);
}

function runThread(
  takeSeed: () => SeedMessage,
  onResult: (result: SimResult) => void,
): Promise<void> {
  const worker = new Worker(new URL("seed-worker.js", import.meta.url), {
    resourceLimits: { maxYoungGenerationSizeMb: youngMegabytes },
  });
  return new Promise((resolve, reject) => {
    worker.on("message", (result: SimResult) => {
      onResult(result);
      worker.postMessage(takeSeed());
    });
    worker.on("error", reject);
    worker.on("exit", (code) => {
      if (code === 0) resolve();
      else reject(new Error(`a thread of the simulator ended with ${code}`));
    });
    worker.postMessage(takeSeed());
  });
}
