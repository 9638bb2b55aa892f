/**
 * How long after a window an incident is on the stream: a collector with its store on disk, fed by
 * four agents on a clock that stands still while anything is worked out, so that what passes is
 * work alone.
 *
 * Counted from the seal, which is the window's end and the agents' grace of 5 s, to the event as
 * the stream sends it: decode, log, merge, close, decide, write the window, publish. Beside what
 * passed stands what was worked, of all threads: on a machine with other work to do they differ.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createVirtualClock } from "../../../base/clock.ts";
import { silentLog } from "../../../base/log.ts";
import { createMeter } from "../../../base/meter.ts";
import { nodeDisk } from "../../../cli/node-disk.ts";
import { createCollectorCore } from "../../../collector/collector-core.ts";
import { defaultCollectorConfig } from "../../../collector/config.ts";
import type { Decider } from "../../../collector/decide.ts";
import { createDecider } from "../../../collector/stages/decider.ts";
import type { Figure } from "../../table.ts";
import { median } from "../../timing.ts";
import { deciderSettings } from "../configuration.ts";
import { createLiveTraffic, liveKeys, startMs, windowMs } from "./live-keys.ts";

const quietWindows = 8;
const badWindows = 4;
const sealMs = 5_000;
const failingService = 7;
const mebibyte = 2 ** 20;

export async function measureLag(seed: number): Promise<Figure[]> {
  const directory = mkdtempSync(join(tmpdir(), "brunt-lag-"));
  const clock = createVirtualClock(startMs);
  const decisionsMs: number[] = [];
  const workedMs: number[] = [];
  const decider = timed(createDecider(deciderSettings), {
    decisionsMs,
    workedMs,
  });
  const core = createCollectorCore(
    { ...defaultCollectorConfig(), dataDir: directory },
    { clock, log: silentLog, meter: createMeter(), decider, disk: nodeDisk },
  );
  let openedMs: number | undefined;
  let openedWorkMs = Number.NaN;
  let sealedWorkMs = 0;
  let openedWindow = 0;
  const lagsMs: number[] = [];
  let sealedMs = 0;
  core.onEvents((events) => {
    for (const event of events) {
      if (event.type === "incident.opened" && openedMs === undefined) {
        openedMs = performance.now() - sealedMs;
        openedWorkMs = workMs() - sealedWorkMs;
      }
      if (event.type === "window.closed") lagsMs.push(performance.now() - sealedMs);
    }
  });
  try {
    await core.start();
    const traffic = createLiveTraffic(seed);
    for (let index = 0; index < quietWindows + badWindows; index++) {
      const isBad = index >= quietWindows;
      const batches = traffic.window(
        index,
        (service, combination) => isBad && service === failingService && combination % 10 === 3,
      );
      const known = openedMs !== undefined;
      clock.advance(startMs + (index + 1) * windowMs + sealMs - clock.nowMs());
      sealedMs = performance.now();
      sealedWorkMs = workMs();
      const taken = await Promise.all(batches.map((batch) => core.accept(batch)));
      if (taken.some(({ ok }) => !ok)) throw new Error("a batch was refused");
      await core.settled();
      if (openedMs !== undefined && !known) openedWindow = index - quietWindows + 1;
    }
  } finally {
    await core.shutdown();
    rmSync(directory, { recursive: true, force: true });
  }
  return lagFigures({ decisionsMs, workedMs, lagsMs, openedMs, openedWorkMs, openedWindow });
}

function workMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

function timed(
  decider: Decider,
  { decisionsMs, workedMs }: { readonly decisionsMs: number[]; readonly workedMs: number[] },
): Decider {
  return {
    ...decider,
    decide(window, nowMs) {
      const beganMs = performance.now();
      const beganWorkMs = workMs();
      const decision = decider.decide(window, nowMs);
      decisionsMs.push(performance.now() - beganMs);
      workedMs.push(workMs() - beganWorkMs);
      return decision;
    },
  };
}

function lagFigures(found: {
  readonly decisionsMs: readonly number[];
  readonly workedMs: readonly number[];
  readonly openedWorkMs: number;
  readonly lagsMs: readonly number[];
  readonly openedMs: number | undefined;
  readonly openedWindow: number;
}): Figure[] {
  const { decisionsMs, workedMs, lagsMs, openedMs = Number.NaN, openedWindow } = found;
  const seconds = (metric: string, label: string, ms: number, max?: number): Figure => ({
    ...{ metric, label, value: ms / 1_000, unit: "s" },
    ...(max === undefined ? {} : { goal: { max } }),
  });
  const quiet = decisionsMs.slice(0, quietWindows);
  const bad = decisionsMs.slice(quietWindows);
  return [
    { metric: "keys", label: "live keys", value: liveKeys, unit: "" },
    seconds("incident_s", "from the seal of the bad window to the incident", openedMs, 3),
    seconds("incident_work_s", "the same, worked", found.openedWorkMs),
    {
      metric: "windows",
      label: "bad windows until the incident",
      value: openedWindow,
      unit: "",
      goal: { max: 1 },
    },
    seconds("closed_s", "from the seal to the closed window, median", median([...lagsMs])),
    seconds("closed_max_s", "the slowest", Math.max(...lagsMs)),
    seconds("decide_quiet_s", "deciding a quiet window, median", median(quiet)),
    seconds("decide_bad_s", "deciding a window with a fault, median", median(bad)),
    seconds("decide_max_s", "the slowest decision", Math.max(...decisionsMs), 2),
    seconds("decide_work_s", "the most worked for one", Math.max(...workedMs)),
    {
      metric: "memory_mib",
      label: "peak memory, collector and generator together",
      value: (process.resourceUsage().maxRSS * 1_024) / mebibyte,
      unit: "MiB",
    },
  ];
}
