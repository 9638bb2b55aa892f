/**
 * Incidents on made-up systems of 10 to 1,000 services, end to end: from spans to incidents. The
 * cause named first is held against the fault, the customers against who was really hurt. Where
 * nothing can tell, a named cause is wrong and "inconclusive", or no incident, is right.
 */
import { createPrng } from "../../../base/prng.ts";
import type { IncidentDetail } from "../../../wire/api-types.ts";
import type { Figure } from "../../table.ts";
import type { Benchmark } from "../benchmark.ts";
import { drawFault, type Fault, type FaultKind, faultKinds } from "./generated-faults.ts";
import { type FaultRun, runFault, tryFault } from "./generated-run.ts";
import { drawWorld, type World } from "./generated-world.ts";
import { costFigures, shareFigure, withGoal } from "./rank-score.ts";

interface Size {
  readonly services: number;
  readonly requests: number;
  readonly cases: number;
}

interface GraphCase {
  readonly services: number;
  readonly kind: FaultKind;
  readonly seed: number;
  readonly identifiable: boolean;
  readonly right: boolean;
  readonly incidents: number;
  readonly wanted: readonly string[];
  readonly found: string;
  /** Customers told, and those really hurt; undefined where no incident was found. */
  readonly customers: { readonly told: number; readonly hurt: number } | undefined;
  readonly seconds: number;
}

const sizes: readonly Size[] = [
  { services: 10, requests: 150, cases: 27 },
  { services: 100, requests: 200, cases: 36 },
  { services: 1_000, requests: 800, cases: 5 },
];
/** A fault that struck or hurt fewer is no incident to be found. */
const struckMin = 40;
const hurtMin = 20;
const drawsMax = 200;
/** Few cases are of kinds far apart. */
const kindStep = 2;
const customersOffMax = 0.03;
const goals = {
  "100_top1": { goal: 0.95 },
  "100_inconclusive": { goal: 0.95 },
  "100_customers": { goal: 0.95 },
};

export const generatedGraphs: Benchmark = {
  name: "graphs",
  title: "Cause: made-up systems of 10 to 1,000 services, spans to incidents",
  measure: async (_, seed) => sizes.flatMap((size) => sizeFigures(runSize(size, seed), size)),
};

function runSize(size: Size, seed: number): GraphCase[] {
  const cases: GraphCase[] = [];
  for (let at = 0; at < size.cases; at++) {
    const kind = faultKinds[(kindStep * at) % faultKinds.length] as FaultKind;
    const found = findCase(size, kind, seed * 1_000_003 + at * 1_009);
    if (found !== undefined) cases.push(found);
  }
  return cases;
}

/** The first draw whose fault can be felt. */
function findCase(size: Size, kind: FaultKind, firstSeed: number): GraphCase | undefined {
  for (let seed = firstSeed; seed < firstSeed + drawsMax; seed++) {
    const prng = createPrng(seed);
    const world = drawWorld(prng, size.services);
    const fault = drawFault(prng, world, kind);
    if (fault === undefined) continue;
    const plan = { fault, requests: size.requests };
    const felt = tryFault(prng, world, plan);
    if (felt.struck < struckMin || (kind !== "outside" && felt.hurt.size < hurtMin)) continue;
    return judge(seed, world, fault, runFault(prng, world, plan));
  }
  return undefined;
}

function judge(seed: number, world: World, fault: Fault, run: FaultRun): GraphCase {
  const worst = worstOf(world, run.incidents);
  const found = worst === undefined ? "no incident" : `${worst.cause.kind} ${worst.cause.name}`;
  const identifiable = fault.answers.length > 0;
  const isSilent = worst === undefined || worst.cause.kind === "none";
  const mean = run.decisionSeconds.reduce((sum, one) => sum + one, 0) / run.decisionSeconds.length;
  return {
    services: world.services.length,
    kind: fault.kind,
    seed,
    identifiable,
    right: identifiable ? fault.answers.includes(worst?.cause.name ?? "") : isSilent,
    incidents: run.incidents.length,
    wanted: fault.answers,
    found: `${found} ${worst?.cause.verdict ?? ""} ${worst?.signal ?? ""}`,
    customers:
      worst === undefined || run.hurt.size < hurtMin
        ? undefined
        : { told: customersOf(worst), hurt: run.hurt.size },
    seconds: mean,
  };
}

/** What is told of where customers enter, most of them first; what else is told comes after. */
function worstOf({ services, entries }: World, incidents: readonly IncidentDetail[]) {
  const names = new Set(entries.map((at) => services[at]?.name));
  const isMet = ({ impact }: IncidentDetail): number =>
    impact.entries.some(({ service }) => names.has(service)) ? 1 : 0;
  return incidents.toSorted((a, b) => isMet(b) - isMet(a) || customersOf(b) - customersOf(a))[0];
}

function customersOf({ impact }: IncidentDetail): number {
  return impact.customers?.value ?? 0;
}

/** Of few, one more or less is more than any share. */
function areCustomersNear({ customers }: GraphCase): boolean {
  if (customers === undefined) return false;
  const { told, hurt } = customers;
  return Math.abs(told - hurt) <= Math.max(1, customersOffMax * hurt);
}

function sizeFigures(cases: readonly GraphCase[], { services }: Size): Figure[] {
  const share = (
    name: string,
    label: string,
    of: readonly GraphCase[],
    isRight: (one: GraphCase) => boolean,
  ): Figure => {
    const right = of.filter(isRight).length;
    const named = { metric: `${services}_${name}`, label: `${services} services: ${label}` };
    return withGoal(shareFigure(named, { right, of: of.length }), goals);
  };
  const isRight = (one: GraphCase): boolean => one.right;
  const known = cases.filter(({ identifiable }) => identifiable);
  const told = known.filter(({ customers }) => customers !== undefined);
  const kinds = faultKinds.flatMap((kind) => {
    const own = cases.filter((one) => one.kind === kind);
    if (own.length === 0) return [];
    return [share(`top1.${kind}`, `  ${kind}, of ${own.length}`, own, isRight)];
  });
  return [
    share("top1", "cause named first", known, isRight),
    share(
      "inconclusive",
      "nothing named where nothing can tell",
      cases.filter((one) => !one.identifiable),
      isRight,
    ),
    share("customers", "customers within 3 %, or one", told, areCustomersNear),
    share("alone", "one incident", known, ({ incidents }) => incidents === 1),
    ...kinds,
    ...costFigures(cases).map((figure) => ({
      ...figure,
      metric: `${services}_${figure.metric}`,
      label: `${services} services: ${figure.label.replace("case", "decision")}`,
    })),
  ];
}
