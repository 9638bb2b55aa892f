/**
 * R10: a real Mosquitto between ten agents and the collector is killed and started again, now with,
 * now without its persistence. It loses what it has taken each time, and nobody may notice but the
 * agents, who send it again.
 */
import { createPrng } from "../../base/prng.ts";
import { createMosquitto, hasMosquitto, type Mosquitto } from "../mqtt/mosquitto.ts";
import { pause } from "../processes/wait.ts";
import { type Row, type RowDefect, rowOf } from "../scoreboard-row.ts";
import { type Fleet, metricOf, startFleet } from "./fleet.ts";
import { judge, type Sent, startSender, type Verdict, windowMs } from "./oracle.ts";

const agents = 10;
const graceMs = 5_000;
const drainMs = 90_000;
const reviseMsMax = 30_000;
/** Agents seal within a second of the time; so long before and after it the collector stands. */
const stillMs = 1_000;
/** One of so many ends is a SIGTERM; the others are SIGKILL, and those are counted. */
const terminateEvery = 5;

export interface BrokerKillOptions {
  readonly kills: number;
  readonly seed: number;
}

export async function brokerKills({ kills, seed }: BrokerKillOptions): Promise<Row | undefined> {
  if (!hasMosquitto) {
    process.stderr.write("R10: left out, no mosquitto here\n");
    return undefined;
  }
  const broker = await createMosquitto({ persistence: true });
  await broker.start();
  const url = `mqtt://127.0.0.1:${broker.port}`;
  const fleet = await startFleet({
    agents,
    collectorUrl: () => url,
    collector: { environment: { BRUNT_COLLECTOR_MQTT_URL: url } },
  });
  try {
    return await killAndJudge({ broker, fleet, kills, seed });
  } finally {
    await fleet.remove();
    await broker.remove();
  }
}

async function killAndJudge(about: {
  readonly broker: Mosquitto;
  readonly fleet: Fleet;
  readonly kills: number;
  readonly seed: number;
}): Promise<Row> {
  const { fleet, kills } = about;
  const senders = fleet.agents.map((agent) =>
    startSender({ agent: agent.name, port: () => agent.port, spansPerRequest: 20, everyMs: 100 }),
  );
  const terminations = await killAll(about);
  for (const sender of senders) await sender.stop();
  await pause(windowMs + graceMs);
  const undrained = await fleet.drained(drainMs).then(
    () => 0,
    (error: Error) => {
      process.stderr.write(`R10: ${error.message}\n`);
      return 1;
    },
  );
  const sent = senders.flatMap((sender) => sender.sent);
  const { taken, counted, overCount, undeclaredLoss } = await judgeInTime(fleet, sent);
  const { totals } = await fleet.ledger();
  const failedSends = await sumOf(fleet, "brunt_agent_send_failures_total");
  return rowOf({
    row: "R10",
    n: kills,
    value: {
      ...{ taken, counted, overCount, undeclaredLoss, undrained, terminations, failedSends },
      lostSpans: totals.lostSpans,
      // Kills that nobody had to make good would prove nothing.
      unfelt: kills > 0 && failedSends === 0 ? 1 : 0,
    },
    limit: { undeclaredLoss: 0, overCount: 0, lostSpans: 0, undrained: 0, unfelt: 0 },
  });
}

/** What has come late is in its window a moment after it was acknowledged. */
async function judgeInTime(fleet: Fleet, sent: readonly Sent[]): Promise<Verdict> {
  const deadline = performance.now() + reviseMsMax;
  for (;;) {
    const verdict = await judge(sent, [], fleet.counted);
    if (verdict.undeclaredLoss === 0 || performance.now() > deadline) return verdict;
    await pause(500);
  }
}

/**
 * Kills come at any time, and every other one when the broker has taken what agents have just
 * sealed, and the collector has not fetched it. So do ends in good order, of a broker that saves
 * what waits in it: that comes again, beside what agents have sent again.
 */
async function killAll(about: {
  readonly broker: Mosquitto;
  readonly fleet: Fleet;
  readonly kills: number;
  readonly seed: number;
}): Promise<number> {
  const { broker, fleet, kills, seed } = about;
  const prng = createPrng(seed);
  const endFull = async (signal: "SIGKILL" | "SIGTERM"): Promise<void> => {
    const { pid } = fleet.collector.process;
    await pause(untilSealMs() - stillMs);
    process.kill(pid, "SIGSTOP");
    await pause(2 * stillMs + prng.integer(1_000));
    await broker.end(signal);
    process.kill(pid, "SIGCONT");
  };
  let terminations = 0;
  for (let kill = 0; kill < kills; kill++) {
    if (kill % 2 === 1) await endFull("SIGKILL");
    else {
      await pause(500 + prng.integer(4_000));
      await broker.end("SIGKILL");
    }
    await pause(prng.integer(2_000));
    const isTerminated = kill % terminateEvery === terminateEvery - 1;
    await broker.start(isTerminated || prng.integer(2) === 0);
    if (!isTerminated) continue;
    terminations++;
    await endFull("SIGTERM");
    await broker.start();
  }
  return terminations;
}

/** From now until agents seal a window, which is `graceMs` after its end. */
function untilSealMs(): number {
  const sinceSealMs = (Date.now() - graceMs) % windowMs;
  const untilMs = windowMs - sinceSealMs;
  return untilMs < stillMs ? untilMs + windowMs : untilMs;
}

async function sumOf(fleet: Fleet, name: string): Promise<number> {
  const urls = fleet.agents.map(({ port }) => `http://127.0.0.1:${port}/metrics`);
  const values = await Promise.all(urls.map((url) => metricOf(url, name)));
  return values.reduce((sum, value) => sum + value, 0);
}

export const brokerKillsDefects: readonly RowDefect[] = [
  {
    name: "what the broker has taken counts as acknowledged, whatever the collector says",
    caughtBy: "undeclaredLoss",
    patches: [
      {
        file: "agent/export/mqtt-link.js",
        find: "if (!send.isPublished)",
        replace: `const taken = { have: [[1, send.seq]], thresholdsRevision: 0, isUntimed: true };
        if (send.isPublished && !send.isHeartbeat) send.resolve(taken);
        else if (!send.isPublished)`,
      },
      {
        file: "agent/spool/stream-numbers.js",
        find: "return lastNumber(have) > lastSeq || !includesAll(have, settledBefore);",
        replace: "return lastNumber(have) > lastSeq;",
      },
    ],
  },
  {
    name: "a batch that comes again is applied again",
    caughtBy: "overCount",
    patches: [
      {
        file: "collector/ingest/streams.js",
        find: "!hasNumber(stream.intervals, record.seq)",
        replace: "true",
      },
    ],
  },
  {
    name: "a broker that was lost is not looked for again",
    caughtBy: "undrained",
    patches: [
      {
        file: "wire/mqtt-session.js",
        find: "clock.after(Math.ceil(bound * chance()), () => this.#connect())",
        replace: "() => {}",
      },
      {
        file: "wire/mqtt-session.js",
        find: "if (this.#cancelPause === undefined ||",
        replace: "if (true ||",
      },
    ],
  },
];
