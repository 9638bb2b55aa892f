/**
 * D3: one agent's applications send nothing but keys never seen before, while another's have an
 * ordinary day and then a fault, which is found as soon as one before the attack was.
 */
import { Agent as HttpAgent } from "node:http";
import { fileURLToPath } from "node:url";
import { overflowValue } from "../../sketch/key.ts";
import type { Incident, KeySummary } from "../../wire/api-types.ts";
import { fixtureStartMs, requestOf, type SpanLiteral } from "../agent/fixture.ts";
import { startFleet } from "../chaos/fleet.ts";
import { post, windowMs } from "../chaos/oracle.ts";
import { startBrunt } from "../processes/brunt-process.ts";
import { pause, until } from "../processes/wait.ts";
import { type Row, type RowDefect, rowOf } from "../scoreboard-row.ts";

export interface BombOptions {
  /** Distinct keys, one span each, over `seconds`. */
  readonly keys: number;
  readonly seconds: number;
}

const shopEveryMs = 50;
const shopSpans = 5;
const learningMs = 30_000;
/** The attack lasts so long before the fault that is to be found. */
const attackedMs = 12_000;
/** After a window's start, so that both faults are equally far from the end of theirs. */
const intoWindowMs = 2_000;
const foundWithinMs = 60_000;
const sealedAfterMs = 16_000;
const drainMs = 60_000;
const mebibyte = 2 ** 20;
const percentile = 0.99;

export async function cardinalityBomb({ keys, seconds }: BombOptions): Promise<Row> {
  const fleet = await startFleet({ agents: 2 });
  const [bombed, honest] = fleet.agents as [(typeof fleet.agents)[0], (typeof fleet.agents)[0]];
  const startedMs = Date.now();
  const rss = { collector: 0, bombed: 0 };
  const watch = setInterval(() => {
    rss.collector = Math.max(rss.collector, fleet.collector.process.rssBytes());
    rss.bombed = Math.max(rss.bombed, bombed.process.rssBytes());
  }, 500);
  const shops = startShops(honest.port);
  await pause(learningMs);
  const beforeMs = await findFault(shops, "shop-before", fleet.collector.port);
  const p99BeforeMs = shops.takeP99Ms();
  const bomb = startBrunt([bombed.port, keys, seconds].map(String), { program: bombProgram });
  await pause(attackedMs);
  const foundMs = await findFault(shops, "shop-during", fleet.collector.port);
  const [, text = ""] = await bomb.says(/taken (.*)/);
  const sent = JSON.parse(text) as Counts;
  const p99Ms = shops.takeP99Ms();
  const requestsFailed = await shops.stop();
  await pause(sealedAfterMs);
  await fleet.drained(drainMs);
  clearInterval(watch);
  const have = await totals(fleet.collector.port, startedMs);
  await fleet.remove();
  return rowOf({
    row: "D3",
    n: sent.spans,
    value: {
      notTaken: keys - sent.spans,
      // Keys that all have room would prove nothing.
      unfelt: have.folded > 0 ? 0 : 1,
      spansOff: Math.abs(have.spans - sent.spans),
      errorsOff: Math.abs(have.errors - sent.errors),
      collectorRssMiB: Math.round(rss.collector / mebibyte),
      agentRssMiB: Math.round(rss.bombed / mebibyte),
      foundMs,
      foundLaterMs: foundMs - beforeMs,
      ingestP99Ratio: Math.round((p99Ms / p99BeforeMs) * 100) / 100,
      requestsFailed,
    },
    limit: {
      ...{ notTaken: 0, unfelt: 0, spansOff: 0, errorsOff: 0, requestsFailed: 0 },
      ...{ collectorRssMiB: 1_024, agentRssMiB: 1_024 },
      ...{ foundLaterMs: 2_000, ingestP99Ratio: 2 },
    },
  });
}

const bombProgram = fileURLToPath(new URL("key-bomb.js", import.meta.url));

interface Counts {
  spans: number;
  errors: number;
}

const shopNames = ["shop-before", "shop-during"] as const;
type ShopName = (typeof shopNames)[number];

interface Shops {
  /** Half of its requests fail; undefined for none. */
  failing: ShopName | undefined;
  /** Of the requests since it was last asked. */
  takeP99Ms(): number;
  /** Stops; gives how many requests were not taken. */
  stop(): Promise<number>;
}

/** Lets a shop fail; resolves with how long it took until an incident names it. */
async function findFault(shops: Shops, name: ShopName, port: number): Promise<number> {
  await pause(windowMs - (Date.now() % windowMs) + intoWindowMs);
  shops.failing = name;
  const faultMs = Date.now();
  await until(
    `the fault of ${name} is found`,
    async () => (await incidents(port)).some(({ cause }) => cause.name === name),
    { withinMs: foundWithinMs, everyMs: 200 },
  );
  shops.failing = undefined;
  return Date.now() - faultMs;
}

/** Two shops that serve a hundred customers each. */
function startShops(port: number): Shops {
  const http = new HttpAgent({ keepAlive: true, maxSockets: 1 });
  let isOpen = true;
  let failed = 0;
  let id = 1;
  let times: number[] = [];
  const spanOf = (service: ShopName): SpanLiteral => {
    id++;
    const at = Date.now() - fixtureStartMs;
    return {
      ...{ service, name: "GET /cart", kind: "server" },
      ...{ trace: id, id, from: at - 5, to: at },
      status: shops.failing === service && id % 2 === 0 ? "error" : "unset",
      attributes: { "customer.id": `customer-${(id * 7) % 100}` },
    };
  };
  const run = async (): Promise<void> => {
    while (isOpen) {
      const spans = shopNames.flatMap((service) =>
        Array.from({ length: shopSpans }, () => spanOf(service)),
      );
      const body = requestOf(spans);
      const startMs = performance.now();
      if ((await post({ http, port, body })) !== 200) failed++;
      times.push(performance.now() - startMs);
      await pause(shopEveryMs);
    }
    http.destroy();
  };
  const shops: Shops = {
    failing: undefined,
    takeP99Ms() {
      const sorted = times.sort((a, b) => a - b);
      times = [];
      return sorted[Math.floor(sorted.length * percentile)] ?? Number.NaN;
    },
    async stop() {
      isOpen = false;
      await running;
      return failed;
    },
  };
  const running = run();
  return shops;
}

async function incidents(port: number): Promise<readonly Incident[]> {
  return (await fetch(`http://127.0.0.1:${port}/api/v1/incidents`)).json() as Promise<Incident[]>;
}

/** What the collector has of the bomb's service, window by window, folded keys included. */
async function totals(port: number, startedMs: number): Promise<Counts & { folded: number }> {
  const sum = { spans: 0, errors: 0, folded: 0 };
  const firstMs = Math.floor(startedMs / windowMs) * windowMs;
  for (let fromMs = firstMs; fromMs < Date.now(); fromMs += windowMs) {
    const range = `from=${fromMs}&to=${fromMs + windowMs}&limit=10000`;
    const response = await fetch(`http://127.0.0.1:${port}/api/v1/keys?service=bomb&${range}`);
    for (const { key, count, errors } of (await response.json()) as readonly KeySummary[]) {
      sum.spans += count;
      sum.errors += errors;
      if (key.some(({ value }) => value === overflowValue)) sum.folded += count;
    }
  }
  return sum;
}

export const cardinalityBombDefects: readonly RowDefect[] = [
  {
    name: "a value beyond its dimension's cap takes the service with it",
    caughtBy: "spansOff",
    patches: [
      {
        file: "agent/reduce/key-admission.js",
        find: "folded |= foldAt(values, cap.dimension)",
        replace: "folded |= foldAt(values, cap.dimension) | foldAt(values, serviceDimension)",
      },
    ],
  },
];
