/**
 * R12: spans that come minutes late, and agents that fall silent without a word.
 */
import { Agent as HttpAgent } from "node:http";
import type { Incident, WindowSummary } from "../../wire/api-types.ts";
import { fixtureStartMs, requestOf } from "../agent/fixture.ts";
import { pause, until } from "../processes/wait.ts";
import { noRow, type Row, type RowDefect, rowOf } from "../scoreboard-row.ts";
import { startFleet } from "./fleet.ts";
import { judge, post, type Sent, startSender, windowMs } from "./oracle.ts";

const agents = 10;
const silent = 3;
const healthyMs = 22_000;
const coverageMax = 0.95;
const silentWithinMs = 40_000;
/** Five of a hundred spans; their windows are revised. */
const late = { minutes: [1, 2, 4, 8], spans: 400 };
/** One of two hundred; they are counted all the same. */
const later = { minutes: [15, 40], spans: 100 };
const drainMs = 60_000;
const minuteMs = 60_000;

export async function lateAndSilent(): Promise<Row> {
  const fleet = await startFleet({ agents });
  const senders = fleet.agents.map((agent) =>
    startSender({ agent: agent.name, port: () => agent.port, spansPerRequest: 10, everyMs: 100 }),
  );
  await pause(healthyMs);
  const port = fleet.agents[0]?.port ?? 0;
  const sentLate = await sendLate(port, late);
  const sentLater = await sendLate(port, later);
  // Stopped, not killed: nothing says that they are gone.
  for (const agent of fleet.agents.slice(-silent)) agent.process.child.kill("SIGSTOP");
  const silentSinceMs = Date.now();
  for (const sender of senders.slice(-silent)) void sender.stop();
  await until(
    "coverage says that agents are silent",
    async () => (await windows(fleet.collector.port)).some(isCoverageLow),
    { withinMs: silentWithinMs, everyMs: 250 },
  );
  const flaggedMs = Date.now() - silentSinceMs;
  await pause(1.5 * windowMs);
  const incidents = await read<Incident[]>(fleet.collector.port, "incidents");
  for (const agent of fleet.agents.slice(-silent)) agent.process.child.kill("SIGCONT");
  for (const sender of senders) await sender.stop();
  await pause(windowMs + 6_000);
  await fleet.drained(drainMs);
  const sent = [...senders.flatMap((sender) => sender.sent), ...sentLate, ...sentLater];
  const verdict = await judge(sent, [], fleet.counted);
  const closed = await windows(fleet.collector.port);
  const isRevised = ({ startMs }: Sent): boolean =>
    closed.some(({ windowStartMs, revised }) => revised && windowStartMs === startMs);
  await fleet.remove();
  return rowOf({
    row: "R12",
    n: sent.length,
    value: {
      ...verdict,
      notRevised: sentLate.filter((window) => !isRevised(window)).length,
      flaggedMs,
      incidents: incidents.length,
    },
    limit: {
      ...{ undeclaredLoss: 0, overCount: 0, notRevised: 0, incidents: 0 },
      flaggedMs: silentWithinMs,
    },
  });
}

function isCoverageLow({ coverage, silentAgents }: WindowSummary): boolean {
  return coverage < coverageMax && silentAgents === silent;
}

/** Spans that ended minutes ago, to one agent, under a service of their own. */
async function sendLate(
  port: number,
  { minutes: ages, spans }: { readonly minutes: readonly number[]; readonly spans: number },
): Promise<Sent[]> {
  const http = new HttpAgent({ keepAlive: false });
  const sent: Sent[] = [];
  for (const minutes of ages) {
    const endMs = Date.now() - minutes * minuteMs;
    const at = endMs - fixtureStartMs;
    const body = requestOf(
      Array.from({ length: spans }, (_, index) => {
        const id = minutes * 1_000 + index;
        return { service: "late", name: "work", trace: id, id, from: at - 5, to: at };
      }),
    );
    const taken = (await post({ http, port, body })) === 200 ? spans : 0;
    const startMs = Math.floor(endMs / windowMs) * windowMs;
    sent.push({ agent: "late", startMs, taken, unsure: 0 });
  }
  http.destroy();
  return sent;
}

function windows(port: number): Promise<WindowSummary[]> {
  return read(port, "windows?limit=200");
}

async function read<T>(port: number, path: string): Promise<T> {
  return (await fetch(`http://127.0.0.1:${port}/api/v1/${path}`)).json() as Promise<T>;
}

export const lateAndSilentDefects: readonly RowDefect[] = [
  {
    name: "a closed window is not revised",
    caughtBy: "notRevised",
    patches: [
      {
        file: "collector/windows/window-table.js",
        find: "({ dueMs }) => dueMs <= nowMs",
        replace: "() => false",
      },
    ],
  },
  {
    name: "a silent agent counts as there",
    caughtBy: noRow,
    patches: [
      { file: "collector/windows/liveness.js", find: "if (isThere)", replace: "if (true)" },
    ],
  },
];
