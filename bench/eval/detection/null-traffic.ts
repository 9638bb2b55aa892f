/**
 * A week of traffic in which nothing is wrong, as the counts of windows: 100 services of ten
 * operations and 100 combinations each, so 100,000 keys.
 *
 *   size        of a key: log-normal, so few keys carry most
 *   season      the time of day and the weekend, and a load that wanders by a tenth
 *   bad         rates of a service's own from 1e-4 to 2e-2, which wander from window to window for
 *               all of its keys alike; slowness wanders more, and rises with the load: by as much
 *               as what is learnt with a half-life of an hour has not followed
 *   deploys     a service's keys get a new version, and rates a little off
 */
import { createPrng, type Prng } from "../../../base/prng.ts";
import type { RolledUp } from "../../../collector/stages/roll-up.ts";
import {
  numberOf,
  type RowBook,
  rowOf,
  rowsEnd,
  setPlaces,
} from "../../../collector/stages/row-book.ts";
import { normal } from "../chance.ts";
import { drawBinomial, drawPoisson } from "./draw.ts";

export const services = 100;
const operations = 10;
/** The last operations of a service are calls to others. */
const calls = 2;
const combinations = 100;
export const nullKeys = services * operations * combinations;
const dayMs = 86_400_000;
/** How far a mean with a half-life of an hour is behind. */
const followMs = 3_600_000 / Math.LN2;

export interface NullKey {
  readonly service: number;
  readonly combination: number;
  readonly size: number;
  /** Rates of the signals. */
  readonly rates: [errors: number, slow: number];
  subject: number;
  operation: number;
  serviceSubject: number;
  blame: number;
  readonly isCall: boolean;
}

export interface NullTraffic {
  readonly prng: Prng;
  readonly keys: NullKey[];
  readonly versions: number[];
  /** Log of each service's load against its season. */
  readonly load: Float64Array;
  /** Some keys have no subject yet. */
  isRenamed: boolean;
}

/** Bad events besides those that are always there: of a service's key, so many of a span. */
export type Fault = (key: NullKey) => number;

export function createNullTraffic(seed: number): NullTraffic {
  const prng = createPrng(seed);
  const keys: NullKey[] = [];
  for (let service = 0; service < services; service++) {
    const errors = 1e-4 * 200 ** prng.next();
    for (let operation = 0; operation < operations; operation++) {
      for (let combination = 0; combination < combinations; combination++) {
        const own = Math.exp(0.5 * normal(prng));
        keys.push({
          ...{ service, combination },
          size: Math.exp(0.2 + 1.3 * normal(prng)),
          rates: [errors * own, 0.003 * own],
          ...{ subject: -1, operation: -1, serviceSubject: -1, blame: -1 },
          isCall: operation >= operations - calls,
        });
      }
    }
  }
  const load = new Float64Array(services);
  const versions = new Array<number>(services).fill(1);
  return { prng, keys, versions, load, isRenamed: true };
}

/** How much of the usual comes at that time. */
export function seasonAt(timeMs: number): number {
  const day = 1 + 0.6 * Math.sin((2 * Math.PI * (timeMs % dayMs)) / dayMs);
  return Math.floor(timeMs / dayMs) % 7 >= 5 ? 0.6 * day : day;
}

/** The keys of one service go on under another version. */
export function deploy(traffic: NullTraffic, service: number): void {
  traffic.versions[service] = (traffic.versions[service] as number) + 1;
  traffic.isRenamed = true;
  for (const key of traffic.keys) {
    if (key.service !== service) continue;
    key.subject = -1;
    for (const signal of [0, 1] as const) key.rates[signal] *= 0.8 + 0.4 * traffic.prng.next();
  }
}

/** The window's counts; `fault` comes on top. */
export function drawWindow(
  traffic: NullTraffic,
  book: RowBook,
  at: { readonly timeMs: number; readonly fault?: Fault },
): RolledUp {
  const { prng, keys, load } = traffic;
  nameKeys(traffic, book, at.timeMs);
  const rows = rowsEnd(book);
  const columns = () => new Float64Array(rows);
  const sums = { count: columns(), bad: columns(), originBad: columns() };
  const season = seasonAt(at.timeMs);
  const unfollowed = season / seasonAt(at.timeMs - followMs);
  const wander = Array.from({ length: services }, (_, service) => {
    load[service] = 0.9 * (load[service] as number) + 0.044 * normal(prng);
    const volume = season * Math.exp(load[service] as number);
    const errors = Math.exp(0.2 * normal(prng) - 0.02);
    const slow = unfollowed * Math.exp(0.3 * normal(prng) - 0.045);
    return { volume, rates: [errors, slow] as const };
  });
  for (const key of keys) {
    for (const subject of [key.subject, key.operation, key.serviceSubject, key.blame]) {
      book.lastMs[subject] = at.timeMs;
    }
    const now = wander[key.service] as (typeof wander)[number];
    const count = drawPoisson(prng, key.size * now.volume);
    if (count === 0) continue;
    for (let signal = 0; signal < 2; signal++) {
      const own = (key.rates[signal] as number) * (now.rates[signal] as number);
      let bad = drawBinomial(prng, count, Math.min(0.5, own));
      if (signal === 0 && at.fault !== undefined) {
        bad += drawBinomial(prng, count - bad, at.fault(key));
      }
      addTo(sums, rowOf(key.subject, signal), count, bad);
      addTo(sums, rowOf(key.blame, signal), count, bad);
      if (key.isCall) continue;
      addTo(sums, rowOf(key.serviceSubject, signal), count, bad);
      addTo(sums, rowOf(key.operation, signal), count, bad);
    }
  }
  const seen: number[] = [];
  for (let row = 0; row < rows; row++) if (sums.count[row] !== 0) seen.push(row);
  return {
    ...sums,
    seen: Int32Array.from(seen),
    customersBad: new Map(),
    customersSeen: new Map(),
    operations: new Map(),
  };
}

function nameKeys(traffic: NullTraffic, book: RowBook, nowMs: number): void {
  if (!traffic.isRenamed) return;
  traffic.isRenamed = false;
  traffic.keys.forEach((key, index) => {
    if (key.subject >= 0) return;
    const service = `service-${key.service}`;
    const operation = `operation-${Math.floor(index / combinations) % operations}`;
    const [kind, peer] = key.isCall ? ["client", `store-${key.service % 7}`] : ["server", ""];
    const version = `1.${traffic.versions[key.service]}`;
    const name = [service, operation, kind, peer, version, "", `shard-${key.combination}`];
    key.subject = numberOf(book, "key", name, nowMs);
    key.operation = numberOf(book, "operation", [service, operation, kind, peer], nowMs);
    key.serviceSubject = numberOf(book, "service", [service, "", "", ""], nowMs);
    key.blame = key.isCall
      ? numberOf(book, "call", [service, "", kind, peer], nowMs)
      : numberOf(book, "origin", [service, "", "", ""], nowMs);
    const { operation: into, serviceSubject, blame } = key;
    setPlaces(book, key.subject, { operation: into, service: serviceSubject, blame });
  });
}

function addTo(
  sums: Pick<RolledUp, "count" | "bad" | "originBad">,
  row: number,
  count: number,
  bad: number,
): void {
  sums.count[row] = (sums.count[row] as number) + count;
  if (bad === 0) return;
  sums.bad[row] = (sums.bad[row] as number) + bad;
  sums.originBad[row] = (sums.originBad[row] as number) + bad;
}
