/**
 * A whole week of ordinary traffic, window by window: 50 services of very different size with ten
 * operations each, the time of day, a weekend, load that wanders, and jobs: one service in five
 * works in bursts, every so many minutes, and is still between them.
 */
import { createPrng } from "../../../base/prng.ts";
import { incidentLevel } from "../../../collector/stages/budget.ts";
import { createRegistry, type Registry } from "../../../collector/stages/registry.ts";
import type { RolledUp } from "../../../collector/stages/roll-up.ts";
import { numberOf, rowOf, rowsEnd } from "../../../collector/stages/row-book.ts";
import { judgeTraffic } from "../../../collector/stages/traffic.ts";
import { normal } from "../chance.ts";
import { drawPoisson } from "./draw.ts";
import { seasonAt } from "./null-traffic.ts";

const services = 50;
const operations = 10;
const windowMs = 10_000;
const weekStartMs = 1_799_971_200_000;
const jobEvery = 5;

export interface TrafficRun {
  readonly windows: number;
  readonly rows: number;
  /** Runs of low windows that would be told of, of steady traffic and of jobs. */
  readonly told: number;
  readonly toldOfJobs: number;
  /** Rows called in a window, of all. */
  readonly called: number;
  readonly seconds: number;
}

export function playTrafficWeek(seed: number, windows: number): TrafficRun {
  const began = performance.now();
  const prng = createPrng(seed);
  const registry = createRegistry();
  const level = incidentLevel({ falsePagesPerWeek: 1, windowLengthMs: windowMs, beginnings: 6 });
  const shop = Array.from({ length: services }, (_, service) => ({
    name: `service-${service}`,
    size: Math.exp(2 + 2 * normal(prng)),
    shares: Array.from({ length: operations }, () => prng.next() ** 3),
    load: 0,
    isJob: service % jobEvery === 0,
    everyWindows: 30 + prng.integer(330),
    share: 0.1 + 0.8 * prng.next(),
  }));
  const told = new Set<string>();
  let called = 0;
  for (let window = 0; window < windows; window++) {
    const timeMs = weekStartMs + window * windowMs;
    const counts = new Map<number, number>();
    for (const one of shop) {
      one.load = 0.95 * one.load + 0.04 * normal(prng);
      const isOff = one.isJob && (window % one.everyWindows) / one.everyWindows >= one.share;
      const volume = isOff ? 0 : one.size * seasonAt(timeMs) * Math.exp(one.load);
      addService(registry, counts, one, (share) => drawPoisson(prng, volume * share), timeMs);
    }
    const rolled = rolledOf(registry, counts);
    const rows = judgeTraffic(registry, {
      window: { windowStartMs: timeMs, coverage: 1 },
      ...{ rolled, level },
    });
    for (const row of rows.values()) {
      if (row.anomalous) called += 1;
      if (row.lasting && row.scope === "service") told.add(`${row.service} ${row.low?.sinceMs}`);
    }
  }
  const ofJobs = [...told].filter((id) => Number(/\d+/.exec(id)?.[0]) % jobEvery === 0).length;
  return {
    ...{ windows, rows: registry.traffic.size, called },
    ...{ told: told.size - ofJobs, toldOfJobs: ofJobs },
    seconds: (performance.now() - began) / 1_000,
  };
}

interface Served {
  readonly name: string;
  readonly shares: readonly number[];
}

function addService(
  { rows }: Registry,
  counts: Map<number, number>,
  { name, shares }: Served,
  draw: (share: number) => number,
  nowMs: number,
): void {
  let sum = 0;
  shares.forEach((share, operation) => {
    const count = draw(share);
    if (count === 0) return;
    sum += count;
    const parts = [name, `operation-${operation}`, "server", ""];
    counts.set(numberOf(rows, "operation", parts, nowMs), count);
  });
  if (sum > 0) counts.set(numberOf(rows, "service", [name, "", "", ""], nowMs), sum);
}

function rolledOf({ rows }: Registry, counts: ReadonlyMap<number, number>): RolledUp {
  const count = new Float64Array(rowsEnd(rows));
  for (const [subject, seen] of counts) count[rowOf(subject, 0)] = seen;
  return {
    ...{ count, bad: count, originBad: count },
    seen: Int32Array.from(counts.keys(), (subject) => rowOf(subject, 0)),
    ...{ customersBad: new Map(), customersSeen: new Map(), operations: new Map() },
  };
}
