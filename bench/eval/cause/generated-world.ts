/**
 * A made-up system of services: tiers from where customers enter down to stores, dependencies that
 * are shared, some calls that are retried and some whose failure nobody minds.
 */
import type { Prng } from "../../../base/prng.ts";

export interface WorldCall {
  readonly callee: number;
  /** Share of requests that make it. */
  readonly share: number;
  /** Calls after a failed one, until one does not fail. */
  readonly retries: number;
  /** The caller answers well though it failed. */
  readonly optional: boolean;
}

export interface WorldService {
  readonly name: string;
  /** Reports no spans of its own: a store, or a service of others. */
  readonly silent: boolean;
  readonly calls: readonly WorldCall[];
  /** Median of the time it takes itself. */
  readonly ownMs: number;
}

export interface World {
  readonly services: readonly WorldService[];
  /** Where customers enter. */
  readonly entries: readonly number[];
  /** Node -> who calls it. */
  readonly callers: readonly (readonly number[])[];
}

const silentShare = 0.3;
const retryShare = 0.15;
const optionalShare = 0.1;
const callsMax = 3;

export function drawWorld(prng: Prng, size: number): World {
  const tiers = drawTiers(size);
  const services = tiers.flatMap((members, tier) =>
    members.map((at): WorldService => {
      const isLast = tier === tiers.length - 1;
      const below = tiers.slice(tier + 1, tier + 3).flat();
      const silent = isLast && prng.next() < silentShare;
      const name = `${silent ? "store" : "service"}-${at}`;
      return { name, silent, calls: drawCalls(prng, below), ownMs: 1 + 5 * prng.next() };
    }),
  );
  adoptOrphans(prng, tiers, services);
  const callers = services.map((_, callee) =>
    [...services.keys()].filter((caller) => callsOf(services, caller, callee)),
  );
  return { services, entries: tiers[0] ?? [], callers };
}

/** Few entries, most services in the middle. */
function drawTiers(size: number): number[][] {
  const count = Math.max(3, Math.round(Math.log2(size)) - 1);
  const entries = Math.max(1, Math.round(size / 20));
  const rest = size - entries;
  const tiers = [Array.from({ length: entries }, (_, at) => at)];
  for (let tier = 1; tier < count; tier++) {
    const from = entries + Math.floor((rest * (tier - 1)) / (count - 1));
    const to = entries + Math.floor((rest * tier) / (count - 1));
    tiers.push(Array.from({ length: to - from }, (_, at) => from + at));
  }
  return tiers;
}

function drawCalls(prng: Prng, below: readonly number[]): WorldCall[] {
  const callees = new Set<number>();
  const wanted = below.length === 0 ? 0 : 1 + prng.integer(callsMax);
  // Squared: some are called by many.
  for (let drawn = 0; drawn < wanted; drawn++) {
    callees.add(below[Math.floor(prng.next() ** 2 * below.length)] as number);
  }
  return [...callees].map((callee) => drawCall(prng, callee));
}

function drawCall(prng: Prng, callee: number): WorldCall {
  return {
    callee,
    share: 0.4 + 0.6 * prng.next(),
    retries: prng.next() < retryShare ? 2 : 0,
    optional: prng.next() < optionalShare,
  };
}

/** Everything but the entries is called by something. */
function adoptOrphans(prng: Prng, tiers: readonly number[][], services: WorldService[]): void {
  const called = new Set(services.flatMap(({ calls }) => calls.map(({ callee }) => callee)));
  for (const [tier, members] of tiers.entries()) {
    const above = tiers[tier - 1] ?? [];
    for (const orphan of members.filter((at) => tier > 0 && !called.has(at))) {
      const parent = prng.pick(above);
      const service = services[parent] as WorldService;
      services[parent] = { ...service, calls: [...service.calls, drawCall(prng, orphan)] };
    }
  }
}

function callsOf(services: readonly WorldService[], caller: number, callee: number): boolean {
  return services[caller]?.calls.some((call) => call.callee === callee) === true;
}
