/** Incidents of our own making, isolated by the product and, beside it, by a plain G-test. */
import { defaultIsolationOptions, isolate } from "../../../detectors/isolation.ts";
import { type DrawnIncident, drawIncident, type IncidentDesign } from "./draw-incidents.ts";
import { nameByGTest } from "./g-test.ts";
import { type NamedCase, textOf } from "./name-score.ts";

export interface IncidentCase extends NamedCase {
  readonly design: IncidentDesign;
  readonly leaves: number;
  readonly leavesDropped: number;
}

const msPerSecond = 1_000;
const seedStride = 1_000_000;
const alternativesMax = 3;

/** `rounds` of every design, each of another seed. */
export function runIncidents(
  designs: readonly IncidentDesign[],
  { rounds, seed }: { readonly rounds: number; readonly seed: number },
): { readonly cases: IncidentCase[]; readonly rival: NamedCase[] } {
  const cases: IncidentCase[] = [];
  const rival: NamedCase[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const design of designs) {
      const drawn = drawIncident(design, seed * seedStride + cases.length);
      cases.push(nameIncident(design, drawn));
      rival.push(nameAsRival(drawn));
    }
  }
  return { cases, rival };
}

export function nameIncident(
  design: IncidentDesign,
  { dimensions, leaves, labelled }: DrawnIncident,
): IncidentCase {
  const startMs = performance.now();
  const found = isolate(leaves, defaultIsolationOptions(dimensions));
  const seconds = (performance.now() - startMs) / msPerSecond;
  const named = found.combinations.map(({ attributes }) => textOf(attributes));
  return {
    design,
    leaves: leaves.length,
    leavesDropped: found.leavesDropped,
    named: named.filter((text) => text !== ""),
    alternatives: found.alternatives.map(({ attributes }) => textOf(attributes)),
    labelled,
    seconds,
  };
}

function nameAsRival({ dimensions, leaves, labelled }: DrawnIncident): NamedCase {
  const startMs = performance.now();
  const [first, ...alternatives] = nameByGTest(leaves, dimensions, alternativesMax);
  const seconds = (performance.now() - startMs) / msPerSecond;
  return { named: first === undefined ? [] : [first], alternatives, labelled, seconds };
}
