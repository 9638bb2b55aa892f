/** Requests of customers through a made-up system, as spans, and who of them was hurt. */
import type { Prng } from "../../../base/prng.ts";
import { normal } from "../chance.ts";
import type { Fault } from "./generated-faults.ts";
import type { World, WorldCall, WorldService } from "./generated-world.ts";

export interface WorldSpan {
  readonly trace: number;
  readonly id: number;
  /** 0 for none. */
  readonly parent: number;
  readonly service: number;
  readonly kind: "server" | "client" | "internal";
  /** The far side of a call, else -1. */
  readonly peer: number;
  readonly customer: number;
  readonly failed: boolean;
  readonly startMs: number;
  readonly endMs: number;
}

export interface Served {
  readonly spans: WorldSpan[];
  /** Customers whose request the fault failed or held up. */
  readonly hurt: Set<number>;
  /** How often the fault struck. */
  struck: number;
}

interface Outcome {
  readonly endMs: number;
  readonly failed: boolean;
  /** The fault is why it failed, was late, or cannot be used. */
  readonly troubled: boolean;
  readonly delayed: boolean;
  readonly unusable: boolean;
}

interface Run {
  readonly prng: Prng;
  readonly world: World;
  readonly fault: Fault | undefined;
  readonly served: Served;
  readonly trace: number;
  readonly customer: number;
  /** Whether the fault meets this customer. */
  readonly isMet: boolean;
  spansLeft: number;
}

interface Caller {
  readonly parent: number;
  readonly atMs: number;
  /** Twins hide a failure in this very call. */
  readonly twinned?: boolean | undefined;
}

const customersMax = 2_000;
const strayRate = 0.000_5;
const networkMs = 0.4;
const spansMax = 60;

export function serveRequests(
  prng: Prng,
  world: World,
  options: { readonly requests: number; readonly spanMs: number; readonly fault?: Fault },
): Served {
  const served: Served = { spans: [], hurt: new Set(), struck: 0 };
  const { fault } = options;
  for (let request = 0; request < options.requests; request++) {
    const customer = prng.integer(customersMax);
    const atMs = prng.next() * options.spanMs;
    const entry = prng.pick(world.entries);
    const isMet = fault !== undefined && isChosen(customer, fault.customers);
    if (isMet && fault?.kind === "outside") {
      served.struck += 1;
      continue;
    }
    const trace = request + 1;
    const run = { prng, world, fault, served, trace, customer, isMet, spansLeft: spansMax };
    const { failed, troubled, delayed } = serve(run, entry, { parent: 0, atMs });
    if ((failed && troubled) || delayed) served.hurt.add(customer);
  }
  return served;
}

/** The same customers in every window. */
function isChosen(customer: number, share: number): boolean {
  return (Math.imul(customer + 1, 0x9e3779b1) >>> 0) / 2 ** 32 < share;
}

function strikes(run: Run, isHere: boolean): boolean {
  if (!isHere || !run.isMet || run.prng.next() >= (run.fault?.rate ?? 0)) return false;
  run.served.struck += 1;
  return true;
}

function serve(run: Run, at: number, { parent, atMs, twinned }: Caller): Outcome {
  const { prng, world, fault } = run;
  const { ownMs, calls } = world.services[at] as WorldService;
  const id = nextId(run);
  const isHere = fault?.node === at;
  const isSlow = strikes(run, isHere && fault?.kind === "slow");
  const isBroken = strikes(run, isHere && fault?.kind === "errors");
  let nowMs = atMs + ownMs * Math.exp(0.5 * normal(prng)) + (isSlow ? (fault?.lostMs ?? 0) : 0);
  let delayed = isSlow;
  let unusable = twinned === true || strikes(run, isHere && fault?.kind === "hidden");
  if (unusable) {
    addSpan(run, {
      id: nextId(run),
      parent: id,
      service: at,
      ...inner,
      startMs: atMs,
      endMs: nowMs,
    });
  }
  let failed = isBroken || prng.next() < strayRate;
  let troubled = isBroken;
  const areTwinsMet = strikes(run, fault?.kind === "twins" && fault.from === at);
  for (const call of calls) {
    const isTwin = areTwinsMet && (call.callee === fault?.node || call.callee === fault?.other);
    const isMade = isTwin || (run.spansLeft > 0 && prng.next() < call.share);
    if (failed || !isMade) continue;
    const made = callWithRetries(run, at, call, { parent: id, atMs: nowMs, twinned: isTwin });
    nowMs = made.endMs;
    delayed ||= made.delayed;
    unusable ||= made.unusable;
    if (!made.failed || call.optional) continue;
    failed = true;
    troubled ||= made.troubled;
  }
  // Where customers enter, what cannot be used shows.
  if (unusable && parent === 0) [failed, troubled] = [true, true];
  const span = { kind: "server", peer: -1, failed, startMs: atMs, endMs: nowMs } as const;
  addSpan(run, { id, parent, service: at, ...span });
  return { endMs: nowMs, failed, troubled, delayed, unusable };
}

const inner = { kind: "internal", peer: -1, failed: true } as const;

function callWithRetries(run: Run, from: number, call: WorldCall, caller: Caller): Outcome {
  let made = callOnce(run, from, call.callee, caller);
  for (let retry = 0; retry < call.retries && made.failed && run.spansLeft > 0; retry++) {
    const again = callOnce(run, from, call.callee, { ...caller, atMs: made.endMs });
    made = { ...again, delayed: made.delayed || again.delayed };
  }
  return made;
}

function callOnce(run: Run, from: number, to: number, caller: Caller): Outcome {
  const { parent, atMs, twinned } = caller;
  const { prng, world, fault } = run;
  const { silent, ownMs } = world.services[to] as WorldService;
  const id = nextId(run);
  const isBetween = fault?.node === to && fault.from === from;
  const isLost =
    strikes(run, isBetween && fault.kind === "cut") ||
    strikes(run, fault?.node === to && (fault.kind === "down" || fault.kind === "store"));
  const isHeldUp = strikes(run, isBetween && fault.kind === "delay");
  const sentMs = atMs + networkMs * (0.5 + prng.next()) + (isHeldUp ? (fault?.lostMs ?? 0) : 0);
  const unreached: Outcome = {
    endMs: sentMs + (silent ? ownMs * Math.exp(0.5 * normal(prng)) : 0),
    failed: isLost || (silent && prng.next() < strayRate),
    troubled: isLost,
    delayed: false,
    unusable: false,
  };
  const reached =
    isLost || silent ? unreached : serve(run, to, { parent: id, atMs: sentMs, twinned });
  const made = {
    ...reached,
    endMs: reached.endMs + networkMs * (0.5 + prng.next()),
    delayed: reached.delayed || isHeldUp,
  };
  const span = { kind: "client", peer: to, failed: made.failed } as const;
  addSpan(run, { id, parent, service: from, ...span, startMs: atMs, endMs: made.endMs });
  return made;
}

function addSpan(run: Run, span: Omit<WorldSpan, "trace" | "customer">): void {
  const { trace, customer } = run;
  run.served.spans.push({ trace, customer, ...span });
}

function nextId(run: Run): number {
  run.spansLeft -= 1;
  return run.trace * 2 * spansMax + run.spansLeft + spansMax;
}
