import { describe, expect, test } from "vitest";
import { createPrng, type Prng } from "../../base/prng.ts";
import type { Shift, SuspectGraph } from "../../dependency-graph/shifts.ts";
import { createTraceHistory, learnTraces, pastsOf } from "../../dependency-graph/trace-history.ts";
import { traceShifts as shiftsSince } from "../../dependency-graph/trace-shifts.ts";
import {
  addHistogramTo,
  createTimeSums,
  type EdgeSums,
  type OperationSums,
  type TimeSums,
  type TraceSums,
} from "../../dependency-graph/trace-sums.ts";
import { addHistogram, createHistogram } from "../../sketch/histogram.ts";

function traceShifts(before: readonly TraceSums[], during: readonly TraceSums[]): SuspectGraph {
  const history = createTraceHistory();
  for (const past of before) learnTraces(history, past);
  return shiftsSince(history, during);
}

/** Milliseconds of each call. */
interface Made {
  readonly service: string;
  readonly operation: string;
  readonly kind: string;
  readonly callee?: string;
  readonly selfMs: readonly number[];
  /** Own duration of each, unless as long as the self time. */
  readonly durationMs?: readonly number[];
}

interface Plan {
  readonly made: readonly Made[];
  readonly gapsMs?: Readonly<Record<string, readonly number[]>>;
}

function sums(valuesMs: readonly number[]): TimeSums {
  const histogram = createHistogram();
  for (const ms of valuesMs) addHistogram(histogram, Math.round(ms * 1e6));
  const time = createTimeSums();
  addHistogramTo(time, histogram);
  return time;
}

function window(startMs: number, { made, gapsMs = {} }: Plan): TraceSums {
  const operations = new Map<string, OperationSums>();
  for (const { service, operation, kind, callee = "", selfMs, durationMs = selfMs } of made) {
    const seconds = durationMs.reduce((sum, ms) => sum + ms / 1_000, 0);
    const self = sums(selfMs);
    operations.set(`${service} ${operation}`, { service, operation, kind, callee, self, seconds });
  }
  const edges = new Map<string, EdgeSums>();
  for (const [name, values] of Object.entries(gapsMs)) {
    const [caller = "", callee = ""] = name.split(" ");
    edges.set(name, { caller, callee, gap: sums(values) });
  }
  return { startMs, operations, edges };
}

/** So many durations about a median, as services have them. */
function about(prng: Prng, ms: number, count: number): number[] {
  return Array.from({ length: count }, () => ms * Math.exp(0.3 * normal(prng)));
}

function normal(prng: Prng): number {
  return Math.sqrt(-2 * Math.log(1 - prng.next())) * Math.cos(2 * Math.PI * prng.next());
}

const seed = 5;

function check(before: (prng: Prng) => Plan, during: (prng: Prng) => Plan): SuspectGraph {
  const prng = createPrng(seed);
  const past = Array.from({ length: 20 }, (_, at) => window(at * 10_000, before(prng)));
  return traceShifts(past, [window(200_000, during(prng)), window(210_000, during(prng))]);
}

function shiftsAt(graph: SuspectGraph, id: string): readonly Shift[] {
  return graph.nodes.find((node) => node.id === id)?.shifts ?? [];
}

const served = (prng: Prng, ms: number, count = 20): Made => ({
  service: "stock",
  operation: "GET /stock",
  kind: "server",
  selfMs: about(prng, ms, count),
});

describe("self time", () => {
  test("that grew is told with the time it cost", () => {
    const graph = check(
      (prng) => ({ made: [served(prng, 5)] }),
      (prng) => ({ made: [served(prng, 50)] }),
    );
    const [shift] = shiftsAt(graph, "stock");
    expect(shift?.kind).toBe("self_time");
    expect(shift?.score).toBeGreaterThan(4);
    expect(shift?.cost).toBeGreaterThan(1.5);
    expect(shift?.cost).toBeLessThan(2.5);
  });

  test("of one call in a hundred is not the operation's", () => {
    const graph = check(
      (prng) => ({ made: [served(prng, 5)] }),
      (prng) => ({ made: [{ ...served(prng, 5), selfMs: [...about(prng, 5, 50), 900] }] }),
    );
    expect(shiftsAt(graph, "stock")).toEqual([]);
  });

  test("that grew by a tenth is no shift, however many calls tell of it", () => {
    const graph = check(
      (prng) => ({ made: [served(prng, 5, 2_000)] }),
      (prng) => ({ made: [served(prng, 5.5, 2_000)] }),
    );
    expect(shiftsAt(graph, "stock")).toEqual([]);
  });

  test("of a few odd windows before changes nothing", () => {
    let at = 0;
    const graph = check(
      (prng) => ({ made: [served(prng, at++ % 4 === 0 ? 60 : 5)] }),
      (prng) => ({ made: [served(prng, 50)] }),
    );
    expect(shiftsAt(graph, "stock")).toHaveLength(1);
  });

  test("says less the fewer windows tell what is usual", () => {
    const score = (windows: number): number => {
      const prng = createPrng(seed);
      const past = Array.from({ length: windows }, (_, at) =>
        window(at * 10_000, { made: [served(prng, 5)] }),
      );
      const during = [window(windows * 10_000, { made: [served(prng, 50)] })];
      return shiftsAt(traceShifts(past, during), "stock")[0]?.score ?? 0;
    };
    expect(score(2)).toBeLessThan(0.5 * score(20));
  });

  test("of a span that waits beside a slow call is not the node's", () => {
    const gateway = (prng: Prng, ms: number): Plan => ({
      made: [
        { service: "gate", operation: "in", kind: "server", ...waits(prng, ms) },
        { service: "gate", operation: "filter", kind: "internal", selfMs: about(prng, ms, 20) },
        {
          service: "gate",
          operation: "out",
          kind: "client",
          callee: "stock",
          selfMs: about(prng, ms, 20),
        },
      ],
      gapsMs: { "gate stock": about(prng, ms - 1, 20) },
    });
    const graph = check(
      (prng) => gateway(prng, 5),
      (prng) => gateway(prng, 500),
    );
    const own = shiftsAt(graph, "gate").reduce((sum, { cost = 0 }) => sum + cost, 0);
    expect(own).toBeLessThan(2);
    expect(graph.edges[0]?.shifts[0]?.kind).toBe("gap");
    expect(graph.edges[0]?.shifts[0]?.cost).toBeGreaterThan(15);
  });
});

/** A server span that does nothing but wait for what is inside. */
function waits(prng: Prng, ms: number): Pick<Made, "selfMs" | "durationMs"> {
  return { selfMs: about(prng, 0.1, 20), durationMs: about(prng, ms, 20) };
}

describe("calls for each request", () => {
  const checkout = (prng: Prng, shipped: number, reads = 10): Plan => ({
    made: [
      { service: "checkout", operation: "POST", kind: "server", selfMs: about(prng, 5, 10) },
      { service: "checkout", operation: "GET", kind: "server", selfMs: about(prng, 5, reads) },
      {
        service: "checkout",
        operation: "ship",
        kind: "client",
        callee: "shipping",
        selfMs: about(prng, 5, shipped),
      },
    ],
    gapsMs: { "checkout shipping": about(prng, 1, Math.max(1, shipped)) },
  });

  test("that happen no longer are told at their edge", () => {
    let at = 0;
    const graph = check(
      (prng) => checkout(prng, 10, 5 + (at++ % 5) * 5),
      (prng) => checkout(prng, 0),
    );
    const [shift] = graph.edges[0]?.shifts ?? [];
    expect(shift).toMatchObject({ kind: "missing_calls", name: "ship", before: 1, during: 0 });
    expect(shift?.score).toBeLessThan(-4);
  });

  test("are counted against the requests they belong to, whatever else is asked for", () => {
    let at = 0;
    const graph = check(
      (prng) => checkout(prng, 10, 5 + (at++ % 5) * 5),
      (prng) => checkout(prng, 10, 200),
    );
    expect(graph.edges[0]?.shifts).toEqual([]);
  });

  test("that always came in bursts are no surprise", () => {
    let at = 0;
    const graph = check(
      (prng) => checkout(prng, at++ % 2 === 0 ? 0 : 40),
      (prng) => checkout(prng, 0),
    );
    expect(graph.edges[0]?.shifts).toEqual([]);
  });
});

test("only services that are meant are looked at", () => {
  const prng = createPrng(seed);
  const other = (ms: number): Made => ({ ...served(prng, ms), service: "ads" });
  const history = createTraceHistory();
  for (let at = 0; at < 20; at++) {
    learnTraces(history, window(at * 10_000, { made: [served(prng, 5), other(5)] }));
  }
  const during = [window(200_000, { made: [served(prng, 50), other(50)] })];
  const isMeant = (service: string): boolean => service === "ads";
  const graph = shiftsSince(history, during, { sinceMs: 200_000, isMeant });
  expect(graph.nodes.map(({ id, shifts }) => [id, shifts.length])).toEqual([["ads", 1]]);
});

test("quiet windows have no shifts", () => {
  for (let round = 1; round <= 20; round++) {
    const prng = createPrng(round);
    const plan = (): Plan => ({
      made: Array.from({ length: 40 }, (_, at) => ({
        ...served(prng, 2 + at, 10),
        operation: `op ${at}`,
      })),
    });
    const past = Array.from({ length: 12 }, (_, at) => window(at * 10_000, plan()));
    const graph = traceShifts(past, [window(120_000, plan())]);
    expect({ round, shifts: shiftsAt(graph, "stock") }).toEqual({ round, shifts: [] });
  }
});

describe("history", () => {
  const plan = (operation: string): Plan => ({
    made: [{ service: "stock", operation, kind: "server", selfMs: [5, 7] }],
    gapsMs: { "shop stock": [1] },
  });

  test("gives back what was learnt, of the newest windows", () => {
    const history = createTraceHistory();
    for (let at = 0; at < 70; at++) learnTraces(history, window(at * 10_000, plan("GET")));
    const { windowCount, operations, edges } = pastsOf(structuredClone(history), 650_000);
    expect(windowCount).toBe(55);
    const told = operations.get("stock GET");
    const learnt = window(0, plan("GET")).operations.get("stock GET");
    expect(told?.name).toMatchObject({ service: "stock", operation: "GET", kind: "server" });
    expect(told?.windows).toEqual(Array.from({ length: 55 }, (_, at) => at));
    expect(told?.timesIn()[0]?.count).toBe(2);
    expect(told?.timesIn()[0]?.logs).toBeCloseTo(learnt?.self.logs ?? 0, 4);
    expect(told?.secondsIn()[0]).toBeCloseTo(0.012, 6);
    expect(edges.get("shop stock")?.timesIn()[54]?.count).toBe(1);
  });

  test("refuses what it has no room for, and counts it", () => {
    const history = createTraceHistory();
    const many: Plan = {
      made: Array.from({ length: 20_010 }, (_, at) => ({
        service: "stock",
        operation: `op ${at}`,
        kind: "server",
        selfMs: [5],
      })),
    };
    learnTraces(history, window(0, many));
    expect(history.refused).toBe(10);
    expect(pastsOf(history, 1).operations.size).toBe(20_000);
  });
});
