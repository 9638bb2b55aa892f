import { describe, expect, test } from "vitest";
import { createPrng } from "../../base/prng.ts";
import { createDecider } from "../../collector/stages/decider.ts";
import { addCell, addEdge, type Cube, createCube } from "../../sketch/cube.ts";
import { intern, type KeyId, keyOf } from "../../sketch/key.ts";
import type { IncidentDetail } from "../../wire/api-types.ts";
import {
  applyThresholds,
  createShop,
  type Shop,
  serveWindow,
  type Trouble,
  windowMs,
} from "./shop-model.ts";

interface Run {
  readonly incidents: readonly IncidentDetail[];
  readonly events: readonly string[];
  readonly shop: Shop;
}

interface Plan {
  readonly seed: number;
  readonly learn?: number;
  readonly bad: number;
  readonly after?: number;
  /** So many windows behind the trouble lack what these services' agents would have said. */
  readonly silent?: { readonly windows: number; readonly services: readonly string[] };
  readonly requests?: number;
  /** So many of a troubled window's requests are the first customer's. */
  readonly flood?: number;
  readonly trouble: Trouble;
}

/** Learns, is troubled, recovers: the stages over all of it. */
function check(plan: Plan): Run {
  const { seed, learn = 8, bad, after = 0, requests = 300, flood = 0, trouble } = plan;
  const { silent = { windows: 0, services: [] } } = plan;
  const shop = createShop(createPrng(seed));
  const decider = createDecider({ customersMin: 5, falsePagesPerWeek: 1 });
  const events: string[] = [];
  const startMs = 1_800_000_000_000;
  for (let index = 0; index < learn + bad + silent.windows + after; index++) {
    const isSilent = index >= learn + bad && index < learn + bad + silent.windows;
    const windowStartMs = startMs + index * windowMs;
    const isTroubled = index >= learn && index < learn + bad;
    if (index === learn) {
      shop.hurt.failed.clear();
      shop.hurt.slow.clear();
    }
    const cube = serveWindow(
      shop,
      windowStartMs,
      isTroubled ? { requests: requests + flood, flood, trouble } : { requests },
    );
    const windowEndMs = windowStartMs + windowMs;
    const coverage = isSilent ? 0.7 : 1;
    const seen = isSilent ? withoutServices(cube, silent.services) : cube;
    const window = {
      cube: seen,
      halfEdges: [],
      coverage,
      revised: false,
      windowStartMs,
      windowEndMs,
    };
    const decision = decider.decide(window, windowEndMs + 5_000);
    events.push(...decision.events.map(({ type }) => type));
    applyThresholds(shop, decider.thresholds());
  }
  return { incidents: decider.incidents(), events, shop };
}

/** What the window looks like while the agents of these services are silent. */
function withoutServices(cube: Cube, services: readonly string[]): Cube {
  const { keys, cells, edges, windowStartMs } = cube;
  const isOf = (id: KeyId): boolean => services.includes(keyOf(keys, id)[0] as string);
  const left = createCube(windowStartMs, keys.dimensions, {
    keysMax: keys.keysMax,
    edgesMax: edges.rowsMax,
  });
  for (const key of keys.keys) intern(left.keys, key);
  for (const [id, cell] of cells) if (!isOf(id)) addCell(left, id, cell);
  for (const { caller, callee, cell } of edges.values()) {
    if (!isOf(caller) && !isOf(callee)) addEdge(left, { caller, callee }, cell);
  }
  return left;
}

const faults: readonly {
  name: string;
  trouble: Trouble;
  cause: string;
  attributes: Record<string, string>;
  slow?: boolean;
}[] = [
  {
    name: "errors in one version of payments for one region and card type",
    trouble: {
      fails: ({ service, version, customer }) =>
        service === "payments" &&
        version === "2.4.0" &&
        customer.region === "eu-west-1" &&
        customer.card === "amex",
    },
    cause: "payments",
    attributes: {
      "service.version": "2.4.0",
      "cloud.region": "eu-west-1",
      "payment.card.type": "amex",
    },
  },
  {
    name: "a slow database behind two services",
    trouble: { losesMs: ({ service }) => (service.startsWith("postgresql") ? 400 : 0) },
    cause: "postgresql:shop",
    attributes: {},
    slow: true,
  },
  {
    name: "a dependency down",
    trouble: { isDown: (service) => service === "inventory" },
    cause: "inventory",
    attributes: {},
  },
  {
    name: "a deploy that is slow only for large carts",
    trouble: {
      losesMs: ({ service, cartSize }) => (service === "pricing" && cartSize === "large" ? 500 : 0),
    },
    cause: "pricing",
    attributes: { "cart.size": "large" },
    slow: true,
  },
  {
    name: "a quiet service between cause and symptom",
    trouble: {
      failsInside: ({ service, customer }) => service === "tax" && customer.region === "us-east-1",
    },
    cause: "tax",
    attributes: {},
  },
];

describe.each(faults)("$name", ({ trouble, cause, attributes, slow }) => {
  test.each([1, 2, 3, 4, 5])(
    "seed %i: one incident, right cause, combination and customers",
    (seed) => {
      const { incidents, shop } = check({ seed, bad: 4, trouble });
      expect(incidents.map((incident) => incident.title)).toHaveLength(1);
      const incident = incidents[0] as IncidentDetail;
      expect(incident.cause.name).toBe(cause);
      expect(incident.page).toBe(true);
      const first = incident.combinations[0]?.attributes ?? [];
      expect(Object.fromEntries(first.map(({ dimension, value }) => [dimension, value]))).toEqual(
        attributes,
      );
      const truth = slow === true ? shop.hurt.slow.size : shop.hurt.failed.size;
      expect(Math.abs((incident.impact.customers?.value ?? 0) - truth)).toBeLessThanOrEqual(
        Math.max(1, 0.05 * truth),
      );
      expect(incident.graph.hops[0]?.from).toBe("frontend");
      expect(incident.graph.hops.at(-1)?.to).toBe(cause);
    },
  );
});

test("a fault that ends resolves its one incident", () => {
  const { events, incidents } = check({
    seed: 7,
    bad: 4,
    after: 6,
    trouble: (faults[0] as { trouble: Trouble }).trouble,
  });
  expect(events[0]).toBe("incident.opened");
  expect(events.at(-1)).toBe("incident.resolved");
  expect(events.filter((type) => type !== "incident.updated")).toHaveLength(2);
  expect(incidents[0]?.status).toBe("resolved");
});

describe("silent agents", () => {
  const payments = (faults[0] as { trouble: Trouble }).trouble;
  const everybody = [
    ...["frontend", "catalog", "checkout", "pricing", "inventory", "payments", "tax"],
  ];

  test.each([["payments"], ["frontend", "catalog", "checkout"], everybody])(
    "open no incident: %s",
    (...services) => {
      const silent = { windows: 12, services };
      const { events } = check({ seed: 5, bad: 0, silent, after: 6, trouble: {} });
      expect(events).toEqual([]);
    },
  );

  test("do not end an incident either: that is for those to say who saw it", () => {
    const silent = { windows: 12, services: everybody };
    const open = check({ seed: 7, bad: 4, silent, trouble: payments });
    expect(open.events).not.toContain("incident.resolved");
    expect(open.incidents).toMatchObject([{ status: "firing", coverage: 0.7 }]);
    const over = check({ seed: 7, bad: 4, silent, after: 6, trouble: payments });
    expect(over.events.at(-1)).toBe("incident.resolved");
    expect(over.incidents).toHaveLength(1);
  });
});

test("two faults at once are two incidents, each with its own cause", () => {
  const payments = (faults[0] as { trouble: Trouble }).trouble;
  const fails: Trouble["fails"] = (visit) =>
    payments.fails?.(visit) === true ||
    (visit.service === "catalog" && visit.customer.region === "us-east-1");
  const { incidents } = check({ seed: 19, bad: 5, trouble: { fails } });
  expect(incidents.map(({ cause }) => cause.name).sort()).toEqual(["catalog", "payments"]);
});

test("one misbehaving customer pages nobody, however many errors", () => {
  const { incidents } = check({
    seed: 11,
    bad: 4,
    trouble: { fails: ({ service, customer }) => service === "frontend" && customer.id === 0 },
    flood: 1_000,
  });
  expect(incidents.filter((incident) => incident.page)).toEqual([]);
  expect(incidents[0]?.gate).toMatch(/fewer than 5 customers/);
});

test("an hour without a fault opens nothing", () => {
  const { incidents } = check({ seed: 13, learn: 360, bad: 0, trouble: {} });
  expect(incidents).toEqual([]);
});

test("a decider restored from a snapshot goes on as the one that was never stopped", () => {
  const trouble = (faults[0] as { trouble: Trouble }).trouble;
  const shop = createShop(createPrng(17));
  const unbroken = createDecider({ customersMin: 5, falsePagesPerWeek: 1 });
  let restarted = createDecider({ customersMin: 5, falsePagesPerWeek: 1 });
  for (let index = 0; index < 14; index++) {
    const windowStartMs = 1_800_000_000_000 + index * windowMs;
    const windowEndMs = windowStartMs + windowMs;
    const options = index < 8 ? { requests: 300 } : { requests: 300, trouble };
    const cube = serveWindow(shop, windowStartMs, options);
    const window = { cube, halfEdges: [], coverage: 1, revised: false, windowStartMs, windowEndMs };
    const decision = unbroken.decide(window, windowEndMs);
    expect(restarted.decide(window, windowEndMs)).toEqual(decision);
    applyThresholds(shop, unbroken.thresholds());
    const snapshot = structuredClone(restarted.snapshot());
    restarted = createDecider({ customersMin: 5, falsePagesPerWeek: 1 });
    restarted.restore(snapshot);
  }
  expect(restarted.incidents()).toEqual(unbroken.incidents());
  expect(restarted.incidents()).toHaveLength(1);
});

test("state kept by another release is learnt anew, and nothing breaks", () => {
  const decider = createDecider({ customersMin: 5, falsePagesPerWeek: 1 });
  decider.restore({ registry: { baselines: new Map() }, ring: { detections: [] } });
  const windowStartMs = 1_800_000_000_000;
  const windowEndMs = windowStartMs + windowMs;
  const cube = serveWindow(createShop(createPrng(3)), windowStartMs, { requests: 10 });
  const window = { cube, halfEdges: [], coverage: 1, revised: false, windowStartMs, windowEndMs };
  expect(decider.decide(window, windowEndMs)).toEqual({ anomalies: 0, events: [] });
});

test("what opens an incident must be as unlikely as the budget of false pages asks", () => {
  const { trouble } = faults[0] as { trouble: Trouble };
  const told = (falsePagesPerWeek: number) => {
    const shop = createShop(createPrng(29));
    const decider = createDecider({ customersMin: 5, falsePagesPerWeek });
    let anomalies = 0;
    for (let index = 0; index < 12; index++) {
      const windowStartMs = 1_800_000_000_000 + index * windowMs;
      const windowEndMs = windowStartMs + windowMs;
      const served = index < 8 ? { requests: 300 } : { requests: 300, trouble };
      const cube = serveWindow(shop, windowStartMs, served);
      const window = { cube, halfEdges: [], coverage: 1, revised: false };
      const decision = decider.decide({ ...window, windowStartMs, windowEndMs }, windowEndMs);
      anomalies += decision.anomalies;
    }
    return { incidents: decider.incidents().length, anomalies };
  };
  expect(told(1).incidents).toBe(1);
  const strict = told(1e-300);
  expect(strict.incidents).toBe(0);
  expect(strict.anomalies).toBeGreaterThan(0);
});
