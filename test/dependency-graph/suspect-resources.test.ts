import { expect, test } from "vitest";
import { rankSuspects, type Shift } from "../../dependency-graph/suspects.ts";

function memory(score: number): Shift {
  return { kind: "resource", name: "memory", score, before: 1, during: 2, unit: "GiB" };
}

test("a resource that fell is no cause, however far", () => {
  const nodes = [
    { id: "restarted", shifts: [memory(-600)] },
    { id: "leaking", shifts: [memory(40)] },
  ];
  expect(rankSuspects({ nodes, edges: [] }).map(({ id }) => id)).toEqual(["leaking"]);
});
