/**
 * R14: agents are told to end at random moments, and end with nothing lost; and one that is given
 * little memory and little of a core is offered ten times what it can take.
 */
import { createPrng } from "../../base/prng.ts";
import { pause } from "../processes/wait.ts";
import { type Row, type RowDefect, rowOf } from "../scoreboard-row.ts";
import { startFleet } from "./fleet.ts";
import { judge, startSender, windowMs } from "./oracle.ts";
import { overloadOne } from "./tight-resources.ts";

export interface TerminationOptions {
  readonly terminations: number;
  readonly burstSeconds: number;
  readonly seed: number;
}

const agents = 3;
const drainMs = 60_000;
const sealedAfterMs = 7_000;
const endedMsMax = 10_000;
const recoverMsMax = 10_000;

export async function terminations(options: TerminationOptions): Promise<Row> {
  const ending = await endAgents(options);
  const burst = await overloadOne(options.burstSeconds);
  return rowOf({
    row: "R14",
    n: options.terminations,
    value: { ...ending, ...burst },
    limit: {
      ...{ undeclaredLoss: 0, overCount: 0, drainMs: endedMsMax, badExits: 0 },
      ...(burst === undefined ? {} : burstLimits),
    },
  });
}

const burstLimits = {
  ...{ oomKills: 0, otherAnswers: 0, notShed: 0, burstLoss: 0, burstOverCount: 0 },
  recoverMs: recoverMsMax,
};

async function endAgents({ terminations: count, seed }: TerminationOptions) {
  const prng = createPrng(seed);
  const fleet = await startFleet({ agents });
  const senders = fleet.agents.map((agent) =>
    startSender({ agent: agent.name, port: () => agent.port, spansPerRequest: 50, everyMs: 30 }),
  );
  let slowestMs = 0;
  let badExits = 0;
  for (let turn = 0; turn < count; turn++) {
    await pause(prng.integer(3_000));
    const agent = prng.pick(fleet.agents);
    // The last one has a collector that hears it and says nothing.
    const isUnheard = turn === count - 1;
    if (isUnheard) fleet.collector.process.child.kill("SIGSTOP");
    const startMs = performance.now();
    await agent.kill("SIGTERM");
    if (isUnheard) fleet.collector.process.child.kill("SIGCONT");
    slowestMs = Math.max(slowestMs, performance.now() - startMs);
    if ((await agent.process.ended) !== 0) badExits++;
    await agent.start();
  }
  for (const sender of senders) await sender.stop();
  await pause(windowMs + sealedAfterMs);
  await fleet.settled(drainMs);
  const verdict = await judge(
    senders.flatMap(({ sent }) => sent),
    [],
    fleet.counted,
  );
  await fleet.remove();
  return { ...verdict, drainMs: Math.round(slowestMs), badExits };
}

export const terminationsDefects: readonly RowDefect[] = [
  {
    name: "open windows are not sealed at the end",
    caughtBy: "undeclaredLoss",
    patches: [{ file: "agent/agent-core.js", find: "this.#pipeline.sealAll();", replace: "" }],
  },
  {
    name: "a collector that does not answer is waited for",
    caughtBy: "drainMs",
    patches: [
      { file: "agent/outlet.js", find: "drainMsMax = 8_000", replace: "drainMsMax = 60_000" },
      {
        file: "agent/export/http-link.js",
        find: "timeoutMsDefault = 10_000",
        replace: "timeoutMsDefault = 30_000",
      },
    ],
  },
  {
    name: "an overloaded agent does not say when to come back",
    caughtBy: "otherAnswers",
    patches: [
      {
        file: "agent/receivers/http.js",
        find: '"retry-after": String(retryAfterSeconds)',
        replace: "",
      },
    ],
  },
];
