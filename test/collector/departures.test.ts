/** What departs beside what is bad: how durations are spread, and how many customers there are. */
import { describe, expect, test } from "vitest";
import { createPrng, type Prng } from "../../base/prng.ts";
import { createDecider } from "../../collector/stages/decider.ts";
import { departuresAt, judgeDepartures } from "../../collector/stages/departures.ts";
import { createRegistry, type Registry, thresholdOf } from "../../collector/stages/registry.ts";
import { addHistogram, createHistogram } from "../../sketch/histogram.ts";
import { addHll, createHll, type Hll } from "../../sketch/hll.ts";
import { applyThresholds, createShop, serveWindow, type Visit, windowMs } from "./shop-model.ts";

const startMs = 1_800_000_000_000;
const msInNs = 1e6;

function customersOf(prng: Prng, count: number): Hll {
  const hll = createHll();
  for (let at = 0; at < count; at++) addHll(hll, prng.next() * 2 ** 32, prng.next() * 2 ** 32);
  return hll;
}

function operationOf(prng: Prng, medianMs: number) {
  const durationNs = createHistogram();
  for (let span = 0; span < 200; span++) {
    addHistogram(durationNs, Math.round(medianMs * (0.5 + prng.next()) * msInNs));
  }
  const named = { service: "pricing", operation: "GET /price", kind: "server", peer: "" };
  return { id: "price", ...named, durationNs };
}

interface Said {
  readonly medianMs?: number;
  readonly customers?: number;
  readonly coverage?: number;
}

function judge(registry: Registry, prng: Prng, at: number, said: Said) {
  const { medianMs = 20, customers = 400, coverage = 1 } = said;
  const operation = operationOf(prng, medianMs);
  thresholdOf(registry, operation, startMs);
  const rolled = {
    operations: new Map([[operation.id, operation]]),
    customersSeen: new Map([["pricing", customersOf(prng, customers)]]),
  };
  const windowStartMs = startMs + at * windowMs;
  return judgeDepartures(registry, {
    ...{ rolled, windowStartMs, windowEndMs: windowStartMs + windowMs, coverage },
  });
}

/** What is told of the last of many windows that were as the others. */
function endingWith(last: Said) {
  const registry = createRegistry();
  const prng = createPrng(1);
  let told = 0;
  for (let at = 0; at < 400; at++) {
    told += judge(registry, prng, at, { customers: 380 + prng.integer(40) }).length;
  }
  return { told, last: judge(registry, prng, 400, last) };
}

describe("departures", () => {
  test("ordinary windows have none", () => {
    expect(endingWith({})).toEqual({ told: 0, last: [] });
  });

  test("durations that are spread otherwise, with their numbers", () => {
    expect(endingWith({ medianMs: 30 }).last).toMatchObject([
      {
        ...{ signal: "duration", service: "pricing", operation: "GET /price", count: 200 },
        sentence: expect.stringMatching(/^pricing GET \/price: \d+ of 200 took longer than nine/),
      },
    ]);
  });

  test("customers who stay away, unless who could tell of them is silent", () => {
    expect(endingWith({ customers: 100 }).last).toMatchObject([
      {
        ...{ signal: "customers", service: "pricing", operation: "" },
        sentence: expect.stringMatching(/^pricing: \d+ customers where \d+ were expected/),
      },
    ]);
    expect(endingWith({ customers: 100, coverage: 0.5 }).last).toEqual([]);
  });

  test("of several windows the strongest is told, at the places that are meant", () => {
    const { last } = endingWith({ medianMs: 30 });
    const weaker = last.map((one) => ({ ...one, pValue: 1e-4 }));
    expect(departuresAt([weaker, last, weaker], new Set(["pricing"]))).toEqual(last);
    expect(departuresAt([last], new Set(["cart"]))).toEqual([]);
  });

  test("an incident tells what departs at the places it speaks of", () => {
    const shop = createShop(createPrng(1));
    const decider = createDecider({ customersMin: 5, falsePagesPerWeek: 1 });
    for (let at = 0; at < 60; at++) {
      const windowStartMs = startMs + at * windowMs;
      const windowEndMs = windowStartMs + windowMs;
      const trouble =
        at < 55 ? {} : { losesMs: ({ service }: Visit) => (service === "pricing" ? 200 : 0) };
      const cube = serveWindow(shop, windowStartMs, { requests: 600, trouble });
      const window = { cube, halfEdges: [], coverage: 1, revised: false };
      decider.decide({ ...window, windowStartMs, windowEndMs }, windowEndMs + 5_000);
      applyThresholds(shop, decider.thresholds());
    }
    const [incident] = decider.incidents();
    const signals = new Set(incident?.anomalies.map(({ signal }) => signal));
    expect(signals).toEqual(new Set(["slow", "duration"]));
    expect(structuredClone(decider.snapshot())).toEqual(decider.snapshot());
  });
});
