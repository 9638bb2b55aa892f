/**
 * R11: agents on machines whose clocks are wrong, whole applications included, beside one that is
 * right; one of them is set back by five seconds again and again.
 */
import { existsSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pause } from "../processes/wait.ts";
import { type Row, type RowDefect, rowOf, type Size } from "../scoreboard-row.ts";
import { type Fleet, metricOf, startFleet } from "./fleet.ts";
import { judge, type Sent, startSender, type Verdict, windowMs } from "./oracle.ts";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const clocks = [
  { name: "two-minutes-behind", faketime: "-2m", offsetMs: -2 * minuteMs },
  { name: "an-hour-behind", faketime: "-1h", offsetMs: -hourMs },
  { name: "two-hours-ahead", faketime: "+2h", offsetMs: 2 * hourMs },
  { name: "ten-years-ahead", faketime: "+3650d", offsetMs: 3_650 * 24 * hourMs },
] as const;
const library = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";
/** Without the program of that name, which would stay between us and who we kill. */
const fakedTime = {
  LD_PRELOAD: library,
  // Timers go on as they are.
  FAKETIME_DONT_FAKE_MONOTONIC: "1",
  DONT_FAKE_MONOTONIC: "1",
};
const stepping = "stepping-back";
const stepMs = 5_000;
const lengths = {
  ci: { aloneMs: 40_000, togetherMs: 60_000, stepEveryMs: 15_000 },
  whole: { aloneMs: 120_000, togetherMs: 600_000, stepEveryMs: minuteMs },
} as const;
const drainMs = 60_000;
const sealedAfterMs = 7_000;
const sampleEveryMs = 250;
/** Nearer than this is corrected, so its spans count where they belong. */
const correctedMsMax = 5 * minuteMs;
/** What the agent that is set back may have in windows beside those its spans name. */
const besideMs = 2 * minuteMs;
/** Spans near a window's ends may count in the next one. */
const misplacedShareMax = 0.1;

export async function wrongClocks(size: Size): Promise<Row | undefined> {
  if (!existsSync(library)) {
    process.stderr.write("R11: left out, there is no faketime here\n");
    return undefined;
  }
  const folder = mkdtempSync(join(tmpdir(), "brunt-clock-"));
  const fleet = await startFleet({ agents: 1 });
  try {
    return await runClocks(fleet, createSteppingClock(join(folder, "clock")), lengths[size]);
  } finally {
    await fleet.remove();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function runClocks(
  fleet: Fleet,
  clock: SteppingClock,
  { aloneMs, togetherMs, stepEveryMs }: (typeof lengths)[Size],
): Promise<Row> {
  const right = fleet.agents[0] as (typeof fleet.agents)[0];
  const sender = { spansPerRequest: 20, everyMs: 50 };
  const senders = [startSender({ ...sender, agent: right.name, port: () => right.port })];
  const metrics = `http://127.0.0.1:${fleet.collector.port}/metrics`;
  const lagMs = () => metricOf(metrics, "brunt_collector_close_lag_seconds").then((s) => s * 1_000);
  const alone = await largest(lagMs, aloneMs);
  for (const { name, faketime, offsetMs } of clocks) {
    const environment = { ...fakedTime, FAKETIME: faketime };
    const agent = await fleet.addAgent(name, () => {}, { environment });
    const port = (): number => agent.port;
    senders.push(startSender({ ...sender, agent: name, port, offsetMs: () => offsetMs }));
  }
  const { environment } = clock;
  const stepped = await fleet.addAgent(stepping, () => {}, { environment });
  const port = (): number => stepped.port;
  const offsetMs = (): number => clock.offsetMs;
  senders.push(startSender({ ...sender, agent: stepping, port, offsetMs }));
  const steps = setInterval(clock.step, stepEveryMs);
  const together = await largest(lagMs, togetherMs);
  clearInterval(steps);
  const crashes = fleet.agents.filter(({ process }) => process.child.exitCode !== null).length;
  for (const { stop } of senders) await stop();
  await pause(windowMs + sealedAfterMs);
  await fleet.settled(drainMs);
  const sent = senders.flatMap((one) => one.sent);
  const judged = await judgeAll(fleet, sent);
  return rowOf({
    row: "R11",
    n: clocks.length + 1,
    value: { ...judged, lagGrowthMs: Math.max(0, Math.round(together - alone)), crashes },
    limit: {
      ...{ undeclared: 0, overCount: 0, misplaced: 0, notAside: 0, futureCounted: 0 },
      ...{ lagGrowthMs: 1_000, crashes: 0 },
    },
  });
}

async function judgeAll(fleet: Fleet, sent: readonly Sent[]) {
  const isSummed = (agent: string): boolean => agent === stepping || correctionOf(agent) > 0;
  const exact = sent.filter(({ agent }) => !isSummed(agent));
  const verdicts = [await judge(exact, [], fleet.counted)];
  for (const name of new Set(sent.map(({ agent }) => agent).filter(isSummed))) {
    const ofAgent = sent.filter(({ agent }) => agent === name);
    verdicts.push(await judgeSum(fleet, ofAgent));
  }
  const sumOf = (name: keyof Verdict): number => verdicts.reduce((sum, one) => sum + one[name], 0);
  const { streams } = await fleet.ledger();
  // Windows of the future are taken and put aside, which the ledger says too.
  const declared = streams.reduce((sum, one) => sum + one.lostSpans + one.asideSpans, 0);
  const isAside = ({ name, offsetMs }: (typeof clocks)[number]): boolean =>
    offsetMs < 0 || streams.some((one) => one.agent === name && one.asideSpans > 0);
  return {
    taken: sumOf("taken"),
    counted: sumOf("counted"),
    overCount: sumOf("overCount"),
    declared,
    undeclared: Math.abs(sumOf("undeclaredLoss") - declared),
    misplaced: await countMisplaced(fleet, sent),
    notAside: clocks.filter((clock) => !isAside(clock)).length,
    futureCounted: await countFuture(exact, fleet.counted),
  };
}

interface SteppingClock {
  /** For the start of a process that has this clock. */
  readonly environment: Readonly<Record<string, string>>;
  /** What it says less what is so. */
  readonly offsetMs: number;
  step(): void;
}

/** A clock that the text of the file at `path` sets. */
function createSteppingClock(path: string): SteppingClock {
  let offsetMs = 0;
  const set = (): void => {
    // In one piece, as it is read at any time.
    writeFileSync(`${path}.new`, `-${-offsetMs / 1_000}s\n`);
    renameSync(`${path}.new`, path);
  };
  set();
  return {
    environment: {
      ...fakedTime,
      FAKETIME_TIMESTAMP_FILE: path,
      // Read again every second.
      FAKETIME_CACHE_DURATION: "1",
    },
    get offsetMs() {
      return offsetMs;
    },
    step() {
      offsetMs -= stepMs;
      set();
    },
  };
}

/** What is added to the times of an agent's spans; a clock that is too far off is not put right. */
function correctionOf(agent: string): number {
  const offsetMs = clocks.find(({ name }) => name === agent)?.offsetMs ?? 0;
  return Math.abs(offsetMs) <= correctedMsMax ? -offsetMs : 0;
}

/** Windows that lack much of what really happened in them, though the clock can be put right. */
async function countMisplaced(fleet: Fleet, sent: readonly Sent[]): Promise<number> {
  let count = 0;
  for (const { agent, startMs, taken } of sent) {
    if (correctionOf(agent) === 0) continue;
    const have = await fleet.counted({ agent, startMs: startMs + correctionOf(agent) });
    if (have < taken * (1 - misplacedShareMax)) count++;
  }
  return count;
}

/** Over all windows: a clock is put right by what was measured, which is right to milliseconds. */
async function judgeSum(fleet: Fleet, sent: readonly Sent[]): Promise<Verdict> {
  const first = sent[0] as Sent;
  const fromMs = Math.min(...sent.map(({ startMs }) => startMs)) - besideMs;
  const toMs = Date.now() + besideMs;
  let have = 0;
  for (let startMs = fromMs; startMs < toMs; startMs += windowMs) {
    have += await fleet.counted({ agent: first.agent, startMs });
  }
  const taken = sent.reduce((sum, one) => sum + one.taken, 0);
  const unsure = sent.reduce((sum, one) => sum + one.unsure, 0);
  return judge([{ ...first, taken, unsure }], [], async () => have);
}

async function countFuture(
  sent: readonly Sent[],
  counted: (window: Sent) => Promise<number>,
): Promise<number> {
  let sum = 0;
  for (const window of sent) {
    if (window.startMs > Date.now() + minuteMs) sum += await counted(window);
  }
  return sum;
}

/** Of the second half, when what has changed is settled. */
async function largest(read: () => Promise<number>, forMs: number): Promise<number> {
  let most = 0;
  const untilMs = performance.now() + forMs;
  await pause(forMs / 2);
  while (performance.now() < untilMs) {
    most = Math.max(most, await read());
    await pause(sampleEveryMs);
  }
  return most;
}

export const wrongClocksDefects: readonly RowDefect[] = [
  {
    name: "a window of the future is taken",
    caughtBy: "notAside",
    patches: [
      {
        file: "collector/windows/window-table.js",
        find: "startMs > nowMs + clockSkewMs",
        replace: "startMs > nowMs + Number.MAX_SAFE_INTEGER",
      },
    ],
  },
  {
    name: "windows wait for whoever lags behind",
    caughtBy: "lagGrowthMs",
    patches: [
      {
        file: "collector/windows/liveness.js",
        find: "laggingAfterMs = 25_000",
        replace: "laggingAfterMs = 25_000_000",
      },
    ],
  },
];
