import { describe, expect, test } from "vitest";
import { createPrng } from "../../base/prng.ts";
import { createDecider } from "../../collector/stages/decider.ts";
import { addCell, type Cube, createCube } from "../../sketch/cube.ts";
import { intern, keyOf } from "../../sketch/key.ts";
import type { IncidentDetail } from "../../wire/api-types.ts";
import { applyThresholds, createShop, serveWindow, type Trouble, windowMs } from "./shop-model.ts";

interface Phase {
  readonly windows: number;
  readonly requests?: number;
  readonly trouble?: Trouble;
  readonly coverage?: number;
  /** Services nothing is heard of. */
  readonly unheard?: readonly string[];
}

interface Run {
  readonly incidents: readonly IncidentDetail[];
  readonly events: readonly string[];
  readonly anomalies: number;
}

const usual: Phase = { windows: 45 };

/** Serves one phase after another and says what was told. */
function check(phases: readonly Phase[], seed = 1): Run {
  const shop = createShop(createPrng(seed));
  const decider = createDecider({ customersMin: 5, falsePagesPerWeek: 1 });
  const events: string[] = [];
  let anomalies = 0;
  let windowStartMs = 1_800_000_000_000;
  for (const { windows, requests = 300, trouble = {}, coverage = 1, unheard = [] } of phases) {
    for (let index = 0; index < windows; index++, windowStartMs += windowMs) {
      const served = serveWindow(shop, windowStartMs, { requests, trouble });
      const cube = unheard.length === 0 ? served : without(served, unheard);
      const windowEndMs = windowStartMs + windowMs;
      const window = { cube, halfEdges: [], coverage, revised: false, windowStartMs, windowEndMs };
      const decision = decider.decide(window, windowEndMs + 5_000);
      events.push(...decision.events.map(({ type }) => type));
      anomalies += decision.anomalies;
      applyThresholds(shop, decider.thresholds());
    }
  }
  return { incidents: decider.incidents(), events, anomalies };
}

function without(cube: Cube, services: readonly string[]): Cube {
  const { keys, windowStartMs } = cube;
  const left = createCube(windowStartMs, keys.dimensions, { keysMax: 10_000, edgesMax: 10_000 });
  for (const [id, cell] of cube.cells) {
    const key = keyOf(keys, id);
    if (!services.includes(key[0] as string)) addCell(left, intern(left.keys, key), cell);
  }
  return left;
}

describe("fewer requests arrive", () => {
  test.each([
    { name: "none at all", requests: 0 },
    { name: "a tenth", requests: 30 },
  ])("$name: one incident, from outside, that ends", ({ requests }) => {
    const { incidents, events } = check([usual, { windows: 8, requests }, { windows: 8 }]);
    expect(incidents.map(({ title }) => title)).toHaveLength(1);
    const incident = incidents[0] as IncidentDetail;
    expect(incident.signal).toBe("traffic");
    expect(incident.cause).toMatchObject({ name: "", kind: "none", verdict: "inconclusive" });
    expect(incident.title).toContain("fewer requests arrive");
    expect(incident.page).toBe(true);
    expect(incident.impact.bad).toBeGreaterThan(6 * (300 - requests));
    expect(incident.impact.entries.map(({ service }) => service)).toContain("frontend");
    expect(incident.startedAtMs).toBe(1_800_000_000_000 + 45 * windowMs);
    expect(incident.anomalies[0]?.sentence).toMatch(/requests where \d+ were expected \(p /);
    expect(incident.status).toBe("resolved");
    expect(events.filter((type) => type === "incident.opened")).toHaveLength(1);
  });

  test("of some carts alone: their attributes are named, and nothing else", () => {
    const staysAway: Trouble["staysAway"] = ({ cartSize }) => cartSize !== "large";
    const { incidents } = check([usual, { windows: 8, trouble: { staysAway } }]);
    expect(incidents).toHaveLength(1);
    const { combinations = [] } = incidents[0] ?? {};
    const named = combinations.map(({ attributes }) => attributes.map(({ value }) => value).join());
    expect(named.sort()).toEqual(["medium", "small"]);
    for (const { bad, count, explained } of combinations) {
      expect(bad / count).toBeGreaterThan(0.95);
      expect(explained).toBeGreaterThan(0.3);
    }
  });

  test.each([1, 2, 3])("of all customers alike: no attribute is named (seed %i)", (seed) => {
    const { incidents } = check([usual, { windows: 8, requests: 60 }], seed);
    expect(incidents).toMatchObject([{ signal: "traffic", combinations: [] }]);
  });

  test("for two windows, as when a process starts again: nothing is told", () => {
    expect(check([usual, { windows: 2, requests: 0 }, { windows: 8 }]).events).toEqual([]);
  });

  test("slowly, as in the evening: nothing is told", () => {
    const evening = Array.from({ length: 60 }, (_, minute) => ({
      windows: 3,
      requests: Math.round(300 * 0.985 ** minute),
    }));
    expect(check([usual, ...evening]).events).toEqual([]);
  });

  test("more requests arrive: an anomaly, and no incident", () => {
    const { events, anomalies } = check([usual, { windows: 3, requests: 1_200 }]);
    expect(events).toEqual([]);
    expect(anomalies).toBeGreaterThan(0);
  });
});

describe("calls that stop while requests go on", () => {
  test("are a change of the edge's, which pages nobody", () => {
    const skips: Trouble["skips"] = (caller, callee) =>
      caller === "checkout" && callee === "payments";
    const { incidents } = check([usual, { windows: 8, trouble: { skips } }]);
    expect(incidents.map(({ cause }) => cause)).toMatchObject([
      { name: "checkout → payments", kind: "edge", verdict: "likely", signal: "traffic" },
    ]);
    expect(incidents[0]).toMatchObject({ page: false, title: expect.stringContaining("no more") });
    expect(incidents[0]?.cause.reason).toMatch(/while checkout gets \d+ % of its usual requests/);
  });

  test("because they fail before: the failure alone is told", () => {
    const fails: Trouble["fails"] = ({ service }) => service === "pricing";
    const { incidents } = check([usual, { windows: 8, trouble: { fails } }]);
    expect(incidents.map(({ cause }) => cause.name)).toEqual(["pricing"]);
  });
});

describe("silence of agents", () => {
  const everything = ["frontend", "catalog", "checkout", "pricing", "inventory", "payments", "tax"];

  test.each([
    { name: "most of it", coverage: 0.7, unheard: ["frontend", "checkout"] },
    { name: "all of it", coverage: 0, unheard: everything },
    { name: "of one small agent", coverage: 0.96, unheard: ["tax"] },
  ])("$name: nothing is told, nor when they are given up", ({ coverage, unheard }) => {
    const silent = { windows: 30, coverage, unheard };
    const { events } = check([usual, silent, { windows: 60, unheard }]);
    expect(events).toEqual([]);
  });

  test("does not hide a drop that it cannot be", () => {
    const { incidents } = check([usual, { windows: 8, requests: 10, coverage: 0.98 }]);
    expect(incidents).toMatchObject([{ signal: "traffic" }]);
  });
});

test("a week's share of ordinary traffic opens nothing", () => {
  expect(check([{ windows: 400, requests: 60 }], 23).events).toEqual([]);
});
