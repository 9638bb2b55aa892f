/** Preloaded into the process under test: says, when asked, what it has used so far. */
export interface Usage {
  /** User and system time of all its threads. */
  readonly cpuMs: number;
  readonly rssBytes: number;
  /** The longest the event loop stood still since the question before. */
  readonly blockedMs: number;
}

import { monitorEventLoopDelay } from "node:perf_hooks";

const resolutionMs = 2;

if (process.send !== undefined) {
  const delay = monitorEventLoopDelay({ resolution: resolutionMs });
  delay.enable();
  process.on("message", () => {
    const { user, system } = process.cpuUsage();
    const usage: Usage = {
      cpuMs: (user + system) / 1_000,
      rssBytes: process.memoryUsage.rss(),
      blockedMs: delay.max / 1e6,
    };
    delay.reset();
    process.send?.(usage);
  });
  // To be asked must not keep it alive.
  process.channel?.unref();
}
