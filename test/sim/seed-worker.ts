/** A thread of `run-seeds.ts`. */
import { parentPort } from "node:worker_threads";
import type { SeedMessage } from "./run-seeds.ts";
import { simulate } from "./sim.ts";

// Many errors are thrown by the way; whoever wants to know where replays the seed.
Error.stackTraceLimit = 0;

parentPort?.on("message", (seed: SeedMessage) => {
  if (seed === undefined) parentPort?.close();
  else void simulate({ seed }).then((result) => parentPort?.postMessage(result));
});
