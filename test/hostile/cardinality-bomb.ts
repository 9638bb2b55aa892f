/**
 * D3: one agent's applications send nothing but keys never seen before, while another's have an
 * ordinary day and then a fault.
 *
 * | seeded defect                                             | caught by                 |
 * | --------------------------------------------------------- | ------------------------- |
 * | keys beyond the limit are dropped in place of folded      | spansOff, errorsOff       |
 * | keys of a window have no limit                            | collectorRssMiB           |
 * | a folded key loses its service                            | spansOff, errorsOff       |
 */
import { Agent as HttpAgent } from "node:http";
import type { Incident, KeySummary } from "../../wire/api-types.ts";
import { fixtureStartMs, requestOf, type SpanLiteral } from "../agent/fixture.ts";
import { startFleet } from "../chaos/fleet.ts";
import { post } from "../chaos/oracle.ts";
import { pause, until } from "../processes/wait.ts";
import { type Row, type RowDefect, rowOf } from "../scoreboard-row.ts";

export interface BombOptions {
  /** Distinct keys, one span each, over `seconds`. */
  readonly keys: number;
  readonly seconds: number;
}

const spansPerRequest = 500;
/** One failed span in a hundred. */
const failedEvery = 100;
const shopEveryMs = 50;
const shopSpans = 5;
/** The fault comes this long before the end of the bomb. */
const faultSeconds = 40;
const foundWithinMs = 60_000;
const drainMs = 60_000;
const mebibyte = 2 ** 20;
const historyMs = 3_600_000;

export async function cardinalityBomb({ keys, seconds }: BombOptions): Promise<Row> {
  const fleet = await startFleet({ agents: 2 });
  const [bombed, shop] = fleet.agents as [(typeof fleet.agents)[0], (typeof fleet.agents)[0]];
  const startedMs = Date.now();
  let collectorRss = 0;
  const watch = setInterval(() => {
    collectorRss = Math.max(collectorRss, fleet.collector.process.rssBytes());
  }, 500);
  const day = startShop(shop.port, startedMs + (seconds - faultSeconds) * 1_000);
  const sent = await dropBomb(bombed.port, { keys, seconds });
  await until(
    "the fault of the other agent's shop is found",
    async () => (await incidents(fleet.collector.port)).some(({ cause }) => cause.name === "shop"),
    { withinMs: foundWithinMs, everyMs: 500 },
  );
  const foundMs = Date.now() - day.faultMs;
  const requestsFailed = await day.stop();
  await pause(16_000);
  await fleet.drained(drainMs);
  clearInterval(watch);
  const have = await totals(fleet.collector.port, startedMs);
  await fleet.remove();
  return rowOf({
    row: "D3",
    n: keys,
    value: {
      spansOff: Math.abs(have.spans - sent.spans),
      errorsOff: Math.abs(have.errors - sent.errors),
      collectorRssMiB: Math.round(collectorRss / mebibyte),
      foundMs,
      requestsFailed,
    },
    limit: {
      spansOff: 0,
      errorsOff: 0,
      collectorRssMiB: 1_024,
      foundMs: 60_000,
      requestsFailed: 0,
    },
  });
}

interface Counts {
  spans: number;
  errors: number;
}

async function dropBomb(port: number, { keys, seconds }: BombOptions): Promise<Counts> {
  const sent: Counts = { spans: 0, errors: 0 };
  const http = new HttpAgent({ keepAlive: true, maxSockets: 1 });
  const requests = Math.ceil(keys / spansPerRequest);
  const startMs = performance.now();
  for (let number = 0; number < requests; number++) {
    const first = number * spansPerRequest;
    const body = requestOf(
      Array.from({ length: spansPerRequest }, (_, at) => bombSpan(first + at)),
    );
    if ((await post({ http, port, body })) === 200) {
      sent.spans += spansPerRequest;
      sent.errors += spansPerRequest / failedEvery;
    }
    const dueMs = startMs + ((number + 1) / requests) * seconds * 1_000;
    await pause(Math.max(0, dueMs - performance.now()));
  }
  http.destroy();
  return sent;
}

function bombSpan(number: number): SpanLiteral {
  const at = Date.now() - fixtureStartMs;
  return {
    ...{ service: "bomb", name: `operation ${number}`, kind: "server" },
    ...{ trace: number + 1, id: number + 1, from: at - 5, to: at },
    status: number % failedEvery === 0 ? "error" : "unset",
    attributes: { "customer.id": `customer-${number}` },
  };
}

/** A shop that serves a hundred customers, until half of its requests fail. */
function startShop(port: number, faultMs: number) {
  const http = new HttpAgent({ keepAlive: true, maxSockets: 1 });
  let isOpen = true;
  let failed = 0;
  let id = 1;
  const run = async (): Promise<void> => {
    while (isOpen) {
      const nowMs = Date.now();
      const spans = Array.from({ length: shopSpans }, (): SpanLiteral => {
        id++;
        const at = nowMs - fixtureStartMs;
        return {
          ...{ service: "shop", name: "GET /cart", kind: "server" },
          ...{ trace: id, id, from: at - 5, to: at },
          status: nowMs >= faultMs && id % 2 === 0 ? "error" : "unset",
          attributes: { "customer.id": `customer-${(id * 7) % 100}` },
        };
      });
      if ((await post({ http, port, body: requestOf(spans) })) !== 200) failed++;
      await pause(shopEveryMs);
    }
    http.destroy();
  };
  const running = run();
  return {
    faultMs,
    async stop(): Promise<number> {
      isOpen = false;
      await running;
      return failed;
    },
  };
}

async function incidents(port: number): Promise<readonly Incident[]> {
  return (await fetch(`http://127.0.0.1:${port}/api/v1/incidents`)).json() as Promise<Incident[]>;
}

/** What the collector has of the bomb's service, folded keys included. */
async function totals(port: number, startedMs: number): Promise<Counts> {
  const range = `from=${startedMs - historyMs}&to=${Date.now()}&limit=10000`;
  const response = await fetch(`http://127.0.0.1:${port}/api/v1/keys?service=bomb&${range}`);
  const keys = (await response.json()) as readonly KeySummary[];
  return keys.reduce(
    (sum, { count, errors }) => ({ spans: sum.spans + count, errors: sum.errors + errors }),
    { spans: 0, errors: 0 },
  );
}

export const cardinalityBombDefects: readonly RowDefect[] = [];
