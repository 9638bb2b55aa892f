/** Requests run through a random service graph with one fault, counted as the product counts. */
import type { Prng } from "../../base/prng.ts";
import {
  type CauseEdge,
  type CauseGraph,
  type CauseNode,
  type Excess,
  noExcess,
} from "../../dependency-graph/cause-graph.ts";
import { createHll, type Hll, mergeHll } from "../../sketch/hll.ts";
import { customers } from "./cause-cases.ts";

export interface Service {
  readonly id: string;
  readonly virtual: boolean;
  readonly calls: readonly number[];
}

/** `own` fails in the node, `down` answers nothing, `edge` fails between two nodes. */
export interface Fault {
  readonly kind: "own" | "down" | "edge";
  readonly node: number;
  /** The caller, for `edge`. */
  readonly from: number;
  readonly rate: number;
}

interface Tally {
  count: number;
  bad: number;
  customers: Hll;
}

const baselineRate = 0.003;
const callsMax = 80;

/** Layers of services that call later ones; some of the last are virtual. */
export function drawServices(prng: Prng, size: number): Service[] {
  return Array.from({ length: size }, (_, index) => {
    const left = size - index - 1;
    const calls = new Set<number>();
    const wanted = index < size * 0.7 ? 1 + prng.integer(3) : 0;
    for (let drawn = 0; drawn < wanted && left > 0; drawn++) {
      calls.add(index + 1 + prng.integer(Math.min(left, 3 + Math.floor(size / 4))));
    }
    const virtual = wanted === 0 && prng.next() < 0.3;
    return { id: `s${index}`, virtual, calls: [...calls] };
  });
}

/** Where requests come in: services nobody calls. */
function entriesOf(services: readonly Service[]): number[] {
  const called = new Set(services.flatMap(({ calls }) => calls));
  return [...services.keys()].filter((index) => !called.has(index));
}

export interface Simulation {
  readonly graph: CauseGraph;
  /** How often the fault struck. */
  readonly struck: number;
}

/** An incident of 400 requests, its expected counts learnt from 2,000 without the fault. */
export function simulate(prng: Prng, services: readonly Service[], fault: Fault): Simulation {
  const before = runRequests(prng, services, undefined, 2_000);
  const during = runRequests(prng, services, fault, 400);
  const excess = (kind: keyof Tallies, id: string): Excess =>
    excessOver(before[kind].get(id), during[kind].get(id));
  const nodes = services.map(({ id, virtual }, index): CauseNode => {
    const silent = fault.kind === "down" && fault.node === index && !virtual;
    const [server, origin] = [excess("server", id), excess("origin", id)];
    return { id, virtual, silent, server, origin, customersSeen: undefined };
  });
  const edges = [...during.calls.keys()].map((id): CauseEdge => {
    const [caller = "", callee = ""] = id.split(" ");
    return { caller, callee, calls: excess("calls", id), gap: undefined };
  });
  return { graph: { signal: "errors", nodes, edges }, struck: during.struck };
}

type Tallies = Record<"server" | "origin" | "calls", Map<string, Tally>>;

function runRequests(
  prng: Prng,
  services: readonly Service[],
  fault: Fault | undefined,
  requests: number,
): Tallies & { readonly struck: number } {
  const entries = entriesOf(services);
  const tallies: Tallies = { server: new Map(), origin: new Map(), calls: new Map() };
  let struck = 0;
  let customer = 0;
  let callsLeft = 0;
  const strikes = (isHere: boolean): boolean => {
    const isHit = isHere && prng.next() < (fault?.kind === "down" ? 1 : (fault?.rate ?? 0));
    struck += isHit ? 1 : 0;
    return isHit;
  };
  const add = (kind: keyof Tallies, id: string, failed: boolean): void => {
    const tally = tallies[kind].get(id) ?? { count: 0, bad: 0, customers: createHll() };
    tallies[kind].set(id, tally);
    tally.count += 1;
    tally.bad += failed ? 1 : 0;
    if (failed) mergeHll(tally.customers, customers([customer, customer + 1]));
  };
  const run = (node: number): boolean => {
    const service = services[node] as Service;
    let childFailed = false;
    for (const callee of service.calls) {
      if (callsLeft <= 0 || prng.next() > 0.7) continue;
      callsLeft -= 1;
      if (call(node, callee)) childFailed ||= prng.next() < 0.9;
    }
    const own = strikes(fault?.kind === "own" && fault.node === node);
    const failed = own || prng.next() < baselineRate;
    if (!service.virtual) {
      add("server", service.id, failed || childFailed);
      add("origin", service.id, failed);
    }
    return failed || childFailed;
  };
  const call = (from: number, to: number): boolean => {
    const isDown = fault?.kind === "down" && fault.node === to;
    const isCut = fault?.kind === "edge" && fault.node === to && fault.from === from;
    const failed = strikes(isDown || isCut) || run(to);
    add("calls", `s${from} s${to}`, failed);
    return failed;
  };
  for (let request = 0; request < requests; request++) {
    customer = prng.integer(150);
    callsLeft = callsMax;
    run(prng.pick(entries));
  }
  return { ...tallies, struck };
}

function excessOver(before: Tally | undefined, during: Tally | undefined): Excess {
  if (during === undefined) return noExcess;
  const { count, bad, customers: customersBad } = during;
  const rate = ((before?.bad ?? 0) + 30 * baselineRate) / ((before?.count ?? 0) + 30);
  const expected = count * rate;
  const significant = bad >= 4 && bad > expected + 5 * Math.sqrt(expected + 0.5);
  return { count, bad, expected, significant, onsetMs: 0, customersBad };
}
