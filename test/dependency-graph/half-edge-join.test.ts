import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  addHalfEdges,
  createHalfEdgeJoin,
  defaultHalfEdgeJoinLimits,
  expireHalfEdges,
  type HalfEdgeCounts,
  type HalfEdgeJoinLimits,
  type HalfEdgeSide,
} from "../../dependency-graph/half-edge-join.ts";

type Side = HalfEdgeSide<string>;

function caller(id: number, change: Partial<Side> = {}): Side {
  return { ...blank, side: "caller", idLow: id, key: `caller ${id % 3}`, ...change };
}

function callee(id: number, change: Partial<Side> = {}): Side {
  return {
    ...blank,
    side: "callee",
    idLow: id,
    key: `callee ${id % 4}`,
    durationNs: 4e6,
    ...change,
  };
}

const blank: Side = {
  side: "caller",
  idLow: 0,
  idHigh: 7,
  key: "",
  startMs: 1_000,
  durationNs: 10e6,
  failed: false,
  kind: "call",
};

interface Step {
  readonly nowMs: number;
  readonly halves: readonly Side[];
}

/** What was joined, as sorted text, and the counters. */
function check(
  steps: readonly Step[],
  limits: Partial<HalfEdgeJoinLimits> = {},
): { joined: string[]; counts: HalfEdgeCounts; pending: number } {
  const join = createHalfEdgeJoin<string>({ ...defaultHalfEdgeJoinLimits, ...limits });
  const joined = steps.flatMap(({ nowMs, halves }) => addHalfEdges(join, halves, nowMs));
  return {
    joined: joined.map((edge) => `${edge.caller} > ${edge.callee} ${edge.gapNs / 1e6} ms`).sort(),
    counts: join.counts,
    pending: join.pending.size,
  };
}

describe("half-edge join", () => {
  test.each<{ name: string; steps: Step[]; joined: string[]; counts: Partial<HalfEdgeCounts> }>([
    {
      name: "both sides, gap = the caller's less the callee's duration",
      steps: [{ nowMs: 2_000, halves: [caller(1), callee(1)] }],
      joined: ["caller 1 > callee 1 6 ms"],
      counts: { matched: 2 },
    },
    {
      name: "callee first, in another batch",
      steps: [
        { nowMs: 2_000, halves: [callee(1)] },
        { nowMs: 30_000, halves: [caller(1)] },
      ],
      joined: ["caller 1 > callee 1 6 ms"],
      counts: { matched: 2 },
    },
    {
      name: "a gap is never negative",
      steps: [{ nowMs: 2_000, halves: [caller(1), callee(1, { durationNs: 99e6 })] }],
      joined: ["caller 1 > callee 1 0 ms"],
      counts: {},
    },
    {
      name: "a message waits from producer end to consumer start",
      steps: [
        {
          nowMs: 2_000,
          halves: [
            caller(1, { kind: "message" }),
            callee(1, { kind: "message", startMs: 1_250, durationNs: 9e9 }),
          ],
        },
      ],
      joined: ["caller 1 > callee 1 240 ms"],
      counts: {},
    },
    {
      name: "a fan-out joins each callee",
      steps: [{ nowMs: 2_000, halves: [callee(1), caller(1), callee(1, { key: "other" })] }],
      joined: ["caller 1 > callee 1 6 ms", "caller 1 > other 6 ms"],
      counts: { matched: 3, repeated: 0 },
    },
    {
      name: "ids differ in either word",
      steps: [{ nowMs: 2_000, halves: [caller(1), callee(1, { idHigh: 8 })] }],
      joined: [],
      counts: { matched: 0 },
    },
    {
      name: "too late: refused, and the waiting side is counted unmatched",
      steps: [
        { nowMs: 2_000, halves: [caller(1), callee(2)] },
        { nowMs: 70_000, halves: [callee(1)] },
      ],
      joined: [],
      counts: { late: 1, unmatchedCallers: 1, unmatchedCallees: 1, matched: 0 },
    },
    {
      name: "repeated after its join was let go: not joined again",
      steps: [
        { nowMs: 2_000, halves: [caller(1), callee(1)] },
        { nowMs: 70_000, halves: [caller(1), callee(1)] },
      ],
      joined: ["caller 1 > callee 1 6 ms"],
      counts: { late: 2, unmatchedCallers: 0, unmatchedCallees: 0 },
    },
  ])("$name", ({ steps, joined, counts }) => {
    const seen = check(steps);
    expect(seen.joined).toEqual(joined);
    expect(seen.counts).toMatchObject(counts);
  });

  test("order, batching and repeats change nothing", () => {
    const halves = fc.array(
      fc.record({ id: fc.nat(12), isCaller: fc.boolean(), times: fc.integer({ min: 1, max: 3 }) }),
      { maxLength: 40 },
    );
    fc.assert(
      fc.property(halves, fc.infiniteStream(fc.nat(1_000)), (drawn, chance) => {
        const once = drawn.map(({ id, isCaller }) => (isCaller ? caller(id) : callee(id)));
        const repeated = drawn
          .flatMap(({ times }, index) => new Array<Side>(times).fill(once[index] as Side))
          .map((half) => ({ half: { ...half }, rank: chance.next().value as number }))
          .sort((a, b) => a.rank - b.rank)
          .map(({ half, rank }) => ({ nowMs: 2_000 + (rank % 2), halves: [half] }));
        const whole = check([{ nowMs: 2_000, halves: once }]);
        expect(check(repeated).joined).toEqual(whole.joined);
      }),
      { seed: 3, numRuns: 200 },
    );
  });

  test("every half-edge is accounted for", () => {
    const halves = [
      caller(1),
      callee(1),
      callee(1),
      caller(2),
      callee(3),
      caller(4, { startMs: 0 }),
    ];
    const join = createHalfEdgeJoin<string>();
    addHalfEdges(join, halves, 60_500);
    expireHalfEdges(join, 200_000);
    const { added, matched, repeated, late, unmatchedCallees, unmatchedCallers } = join.counts;
    expect(added).toBe(matched + repeated + late + unmatchedCallers + unmatchedCallees);
    expect(join.pending.size).toBe(0);
  });

  test("full: the oldest id goes, counted", () => {
    const halves = Array.from({ length: 100 }, (_, id) => caller(id));
    const { counts, pending } = check([{ nowMs: 2_000, halves }], { idsMax: 10 });
    expect(pending).toBe(10);
    expect(counts.evicted).toBe(90);
  });

  test("callees of one id are bounded", () => {
    const halves = Array.from({ length: 20 }, (_, index) => callee(1, { key: `${index}` }));
    expect(check([{ nowMs: 2_000, halves }], { calleesMax: 4 }).counts.overflowed).toBe(16);
  });
});
