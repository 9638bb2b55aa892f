/**
 * R11: agents on machines whose clocks are wrong, whole applications included, beside one that is
 * right.
 *
 * | seeded defect                                          | caught by         |
 * | ------------------------------------------------------ | ----------------- |
 * | windows wait for the watermark of every stream         | lagGrowthMs       |
 * | a window of the future is taken                        | futureCounted     |
 * | what is refused for its time is not declared           | undeclared        |
 */
import { existsSync } from "node:fs";
import { pause } from "../processes/wait.ts";
import { type Row, type RowDefect, rowOf } from "../scoreboard-row.ts";
import { metricOf, startFleet } from "./fleet.ts";
import { judge, type Sent, startSender, windowMs } from "./oracle.ts";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const clocks = [
  { name: "two-minutes-behind", faketime: "-2m", offsetMs: -2 * minuteMs },
  { name: "an-hour-behind", faketime: "-1h", offsetMs: -hourMs },
  { name: "two-hours-ahead", faketime: "+2h", offsetMs: 2 * hourMs },
  { name: "ten-years-ahead", faketime: "+3650d", offsetMs: 3_650 * 24 * hourMs },
] as const;
const program = "/usr/bin/faketime";
const aloneMs = 60_000;
const togetherMs = 90_000;
const drainMs = 60_000;
const sampleEveryMs = 250;
/** Nearer than this is corrected, so its spans count where they belong. */
const correctedMsMax = 5 * minuteMs;

export async function wrongClocks(): Promise<Row | undefined> {
  if (!existsSync(program)) {
    process.stderr.write("R11: left out, there is no faketime here\n");
    return undefined;
  }
  const fleet = await startFleet({ agents: 1 });
  const right = fleet.agents[0] as (typeof fleet.agents)[0];
  const sender = { spansPerRequest: 20, everyMs: 50 };
  const senders = [startSender({ ...sender, agent: right.name, port: () => right.port })];
  const metrics = `http://127.0.0.1:${fleet.collector.port}/metrics`;
  const lagMs = () => metricOf(metrics, "brunt_collector_close_lag_seconds").then((s) => s * 1_000);
  const alone = await largest(lagMs, aloneMs);
  for (const { name, faketime, offsetMs } of clocks) {
    const agent = await fleet.addAgent(name, () => {}, { wrapper: [program, "-f", faketime] });
    senders.push(startSender({ ...sender, agent: name, port: () => agent.port, offsetMs }));
  }
  const together = await largest(lagMs, togetherMs);
  const crashes = fleet.agents.filter(({ process }) => process.child.exitCode !== null).length;
  for (const { stop } of senders) await stop();
  await pause(windowMs + 6_000);
  await fleet.drained(drainMs);
  const futureCounted = await countFuture(
    senders.flatMap(({ sent }) => sent),
    fleet.counted,
  );
  const verdict = await judge(
    senders.flatMap(({ sent }) => sent).map(corrected),
    [],
    fleet.counted,
  );
  const { streams } = await fleet.ledger();
  // Windows of the future are taken and put aside, which the ledger says too.
  const declared = streams.reduce((sum, one) => sum + one.lostSpans + one.asideSpans, 0);
  await fleet.remove();
  return rowOf({
    row: "R11",
    n: clocks.length,
    value: {
      ...verdict,
      declared,
      undeclared: Math.max(0, verdict.undeclaredLoss - declared),
      lagGrowthMs: Math.round(together - alone),
      futureCounted,
      crashes,
    },
    limit: { undeclared: 0, overCount: 0, lagGrowthMs: 1_000, futureCounted: 0, crashes: 0 },
  });
}

/** A clock that is not far off is put right, so the spans belong where they really happened. */
function corrected(sent: Sent): Sent {
  const offsetMs = clocks.find(({ name }) => name === sent.agent)?.offsetMs ?? 0;
  return Math.abs(offsetMs) <= correctedMsMax
    ? { ...sent, startMs: sent.startMs - offsetMs }
    : sent;
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

export const wrongClocksDefects: readonly RowDefect[] = [];
