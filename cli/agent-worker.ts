/** The program of one worker process; `brunt agent --workers 4` runs it four times. */
import { runWorker } from "../agent/workers/run-worker.ts";
import { systemClock } from "./system.ts";

// The parent says when to end. A terminal's Ctrl-C goes to every process of the group.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => {});
process.on("disconnect", () => process.exit(0));

runWorker(
  {
    onMessage: (take) => process.on("message", take),
    send: (message) => process.send?.(message),
  },
  systemClock,
);
