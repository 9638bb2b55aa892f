import { describe, expect, test } from "vitest";
import { createPrng, type Prng } from "../../base/prng.ts";
import { isAnomalous } from "../../dependency-graph/cause-graph.ts";
import { findCauses } from "../../dependency-graph/root-cause.ts";
import { drawServices, type Fault, type Service, simulate } from "./simulated-calls.ts";

/** Too few bad events at the fault itself say nothing about anything. */
const struckMin = 12;

function drawFault(prng: Prng, services: readonly Service[], kind: Fault["kind"]): Fault {
  const rate = 0.4 + 0.5 * prng.next();
  const from = prng.integer(services.length);
  const callees = services[from]?.calls ?? [];
  if (kind === "own") {
    const real = [...services.keys()].filter((index) => services[index]?.virtual === false);
    return { kind, node: prng.pick(real), from, rate };
  }
  return { kind, node: callees.length > 0 ? prng.pick(callees) : -1, from, rate };
}

/** What a right answer is called; an edge to a virtual node may as well be that node. */
function answers(services: readonly Service[], { kind, node, from }: Fault): string[] {
  const callee = `s${node}`;
  if (kind !== "edge") return [callee];
  const callers = services.filter(({ calls }) => calls.includes(node)).length;
  const isAmbiguous = services[node]?.virtual === true && callers < 2;
  return isAmbiguous ? [`s${from} → ${callee}`, callee] : [`s${from} → ${callee}`];
}

interface Outcome {
  readonly right: boolean;
  readonly wanted: readonly string[];
  readonly found: readonly string[];
}

function check(seed: number, kind: Fault["kind"]): Outcome | undefined {
  const prng = createPrng(seed);
  const services = drawServices(prng, 10 + prng.integer(91));
  const fault = drawFault(prng, services, kind);
  if (fault.node < 0) return undefined;
  const { graph, struck } = simulate(prng, services, fault);
  if (struck < struckMin) return undefined;
  const findings = findCauses(graph);
  const anomalous = graph.nodes.filter(isAnomalous).map(({ id }) => id);
  const covered = findings.flatMap(({ cause, symptoms }) =>
    [cause.name, ...symptoms].filter((id) => anomalous.includes(id)),
  );
  expect(covered.toSorted()).toEqual(anomalous.toSorted());
  const wanted = answers(services, fault);
  const found = findings.map(({ cause }) => cause.name);
  return { right: wanted.includes(found[0] ?? ""), wanted, found };
}

describe("random graphs of 10 to 100 services, one fault", () => {
  test.each<{ kind: Fault["kind"] }>([{ kind: "own" }, { kind: "down" }, { kind: "edge" }])(
    "$kind: the first cause named is the fault",
    ({ kind }) => {
      const outcomes: Outcome[] = [];
      for (let seed = 1; outcomes.length < 150 && seed < 2_000; seed++) {
        const outcome = check(seed, kind);
        if (outcome !== undefined) outcomes.push(outcome);
      }
      const right = outcomes.filter((outcome) => outcome.right).length;
      const alone = outcomes.filter(({ right, found }) => right && found.length === 1).length;
      console.info(`root cause, ${kind}: first ${right}, only ${alone} of ${outcomes.length}`);
      const wrong = outcomes.filter((outcome) => !outcome.right).slice(0, 5);
      expect(outcomes.length).toBe(150);
      expect(right / outcomes.length, JSON.stringify(wrong)).toBeGreaterThanOrEqual(0.95);
      expect(alone / outcomes.length).toBeGreaterThanOrEqual(0.9);
    },
  );
});
