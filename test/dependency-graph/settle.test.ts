import { describe, expect, test } from "vitest";
import type { CauseFinding, CauseSignal } from "../../dependency-graph/cause-graph.ts";
import { settleFinding } from "../../dependency-graph/settle.ts";
import type { Suspect } from "../../dependency-graph/suspects.ts";

const unsettled: CauseFinding = {
  cause: { name: "", kind: "none", verdict: "inconclusive", signal: "slow", reason: "a tie" },
  hops: [],
  entries: ["shop"],
  symptoms: ["shop", "stock"],
  quiet: [],
  suspects: ["shop", "stock"],
};

const leader: Suspect = {
  id: "stock",
  kind: "node",
  score: 9,
  verdict: "confirmed",
  lostTime: true,
  evidence: ["stock: time in itself 5 ms before, 50 ms now"],
};

interface Change {
  readonly signal?: CauseSignal;
  readonly suspect?: Partial<Suspect>;
  /** Whom everything else depends on. */
  readonly below?: readonly string[];
}

function check({ signal = "slow", suspect = {}, below = ["stock"] }: Change): CauseFinding {
  const finding = { ...unsettled, cause: { ...unsettled.cause, signal } };
  return settleFinding(
    finding,
    [{ ...leader, ...suspect }],
    (id, on) => id === on || below.includes(on),
  );
}

describe("a walk without an end", () => {
  test("is settled, as likely, by who lost the time", () => {
    const { cause, hops, symptoms, suspects } = check({});
    expect(cause).toMatchObject({ name: "stock", kind: "node", verdict: "likely" });
    expect(cause.reason).toContain("50 ms now");
    expect(hops.at(-1)).toMatchObject({ from: "stock", to: "stock", verdict: "likely" });
    expect(symptoms).toEqual(["shop"]);
    expect(suspects).toEqual([]);
  });

  test("by an edge", () => {
    const { cause, hops } = check({
      suspect: { id: "stock → rows", kind: "edge" },
    });
    expect(cause).toMatchObject({ name: "stock → rows", kind: "edge", verdict: "likely" });
    expect(hops.at(-1)).toMatchObject({ from: "stock", to: "rows" });
  });

  test.each<readonly [string, Change]>([
    ["when no suspect leads", { suspect: { verdict: "inconclusive" } }],
    ["by what lost no time", { suspect: { lostTime: false } }],
    ["when requests fail", { signal: "errors" }],
    ["by what nobody hurt depends on", { below: [] }],
  ])("is left open %s", (_, change) => {
    expect(check(change).cause).toMatchObject({ kind: "none", verdict: "inconclusive" });
  });
});

test("a cause that is known gets what moved there as evidence", () => {
  const cause = { ...unsettled.cause, name: "stock", kind: "node", verdict: "confirmed" } as const;
  const hops = [{ from: "stock", to: "stock", evidence: ["slow"], verdict: "confirmed" as const }];
  const told = settleFinding({ ...unsettled, cause, hops }, [leader], () => true);
  expect(told.hops[0]?.evidence).toEqual(["slow", ...leader.evidence]);
  expect(told.cause).toEqual(cause);
});
