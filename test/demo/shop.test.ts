/** The shop as it is: who calls whom, what each fault changes, and that nothing tells on it. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { silentLog } from "../../base/log.ts";
import { type Fault, faultLetters, faults } from "../../demo/faults.ts";
import type { Shop, startShop } from "../../demo/shop.ts";
import type { Truth } from "../../demo/truth.ts";
import { buildDemo } from "./build-demo.ts";
import type { SeenSpan } from "./otlp-decode.ts";
import { type OtlpSink, startOtlpSink } from "./otlp-sink.ts";

const seed = 7;
const requestsPerSecond = 40;
const patience = { timeout: 20_000, interval: 100 };

let sink: OtlpSink;
let shop: Shop;
let shopUrl: string;

beforeAll(async () => {
  shopUrl = buildDemo();
  sink = await startOtlpSink();
  const built = (await import(shopUrl)) as { startShop: typeof startShop };
  shop = await built.startShop({
    otlpEndpoint: sink.endpoint,
    seed,
    log: silentLog,
    requestsPerSecond,
  });
}, 90_000);

afterAll(async () => {
  await shop?.shutdown();
  await sink?.close();
});

interface Observed {
  readonly truth: Truth;
  /** Spans that began and ended while the fault was on. */
  readonly during: readonly SeenSpan[];
  /** Spans that ended in the whole time; its failures are the fault's, but for rare natural ones. */
  readonly spans: readonly SeenSpan[];
}

/** Lets `count` requests go by. */
async function pass(count: number): Promise<void> {
  const fromMs = Date.now();
  await vi.waitFor(async () => {
    const { requests } = await shop.truth({ fromMs, toMs: Date.now() });
    expect(requests).toBeGreaterThan(count);
  }, patience);
}

/** Every process has sent what it had once it has sent spans that started later. */
async function delivered(beforeMs: number): Promise<void> {
  await vi.waitFor(() => {
    const later = sink.spans.filter(({ startMs }) => startMs > beforeMs);
    expect(instancesOf(later)).toBe(shop.services.length);
  }, patience);
}

/** Watches `requests` under a fault, with healthy time before and after; waits for their spans. */
async function check(fault: Fault | "none", requests = 240): Promise<Observed> {
  const fromMs = Date.now();
  await shop.setFault(fault);
  const onMs = Date.now();
  await pass(requests);
  const offMs = Date.now();
  await shop.setFault("none");
  await pass(40);
  const toMs = Date.now();
  const truth = await shop.truth({ fromMs, toMs });
  const endMs = ({ startMs, durationMs }: SeenSpan): number => startMs + durationMs;
  await delivered(toMs);
  return {
    truth,
    during: sink.spans.filter((span) => span.startMs >= onMs && endMs(span) < offMs),
    spans: sink.spans.filter((span) => endMs(span) >= fromMs && endMs(span) < toMs),
  };
}

function instancesOf(spans: readonly SeenSpan[]): number {
  return new Set(spans.map(({ resource }) => resource["service.instance.id"])).size;
}

function only(spans: readonly SeenSpan[], service: string, kind: string): SeenSpan[] {
  return spans.filter((span) => span.service === service && span.kind === kind);
}

function failuresOf(spans: readonly SeenSpan[], service: string, kind: string): SeenSpan[] {
  return only(spans, service, kind).filter(({ failed }) => failed);
}

function customersOf(spans: readonly SeenSpan[]): number {
  return new Set(spans.map(({ attributes }) => attributes["customer.id"])).size;
}

function medianMs(spans: readonly SeenSpan[]): number {
  const sorted = spans.map(({ durationMs }) => durationMs).sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}

/** Natural failures and a busy machine are allowed this much. */
const noiseMax = 3;

describe("a healthy shop", () => {
  let seen: Observed;
  beforeAll(async () => {
    seen = await check("none");
  }, 60_000);

  test("its services call each other as drawn", () => {
    const byId = new Map(seen.spans.map((span) => [span.spanId, span]));
    const edges = new Set<string>();
    for (const span of seen.spans) {
      for (const id of [span.parentId, ...span.linkedSpanIds]) {
        const caller = byId.get(id);
        if (caller !== undefined && caller.service !== span.service) {
          edges.add(`${caller.service} ${caller.kind} -> ${span.kind} ${span.service}`);
        }
      }
    }
    expect([...edges].sort()).toEqual(
      ["cart", "catalog", "checkout", "recommendations"]
        .map((name) => `frontend client -> server ${name}`)
        .concat(
          "checkout client -> server inventory",
          "checkout client -> server payments",
          "checkout client -> server pricing",
          "checkout producer -> consumer fulfillment",
          "fulfillment client -> server loyalty",
          "pricing client -> server tax",
        )
        .sort(),
    );
  });

  test("its operations are routes", () => {
    const operations = new Set(
      seen.spans
        .filter(({ kind }) => kind === "server")
        .map(({ service, name }) => `${service} ${name}`),
    );
    expect([...operations].sort()).toEqual([
      "cart PUT /carts/:customer",
      "catalog GET /products",
      "catalog GET /products/:id",
      "checkout POST /checkout",
      "frontend GET /products",
      "frontend GET /products/:id",
      "frontend POST /cart",
      "frontend POST /checkout",
      "inventory POST /reservations",
      "loyalty POST /points",
      "payments POST /charges",
      "pricing POST /quote",
      "recommendations GET /recommendations/:id",
      "tax POST /tax",
    ]);
  });

  test("every span says which customer it serves", () => {
    const without = seen.spans.filter(
      ({ attributes }) => !/^c-\d{4}$/.test(attributes["customer.id"] ?? ""),
    );
    expect(without.map(({ service, name }) => `${service} ${name}`)).toEqual([]);
  });

  test("resources carry name, version, environment, region and instance", () => {
    const instances = new Set(
      seen.spans.map(({ resource }) => {
        expect(resource["service.instance.id"]).toMatch(/^[0-9a-f-]{36}$/);
        expect(resource["deployment.environment.name"]).toBe("demo");
        return [
          resource["service.name"],
          resource["service.version"],
          resource["cloud.region"],
        ].join(" ");
      }),
    );
    const running = shop.services.map(
      ({ name, version, region }) => `${name} ${version} ${region}`,
    );
    expect([...instances].sort()).toEqual(running.sort());
  });

  test("payments knows the card, pricing the cart, both versions get equal shares", () => {
    const payments = only(seen.spans, "payments", "server");
    const pricing = only(seen.spans, "pricing", "server");
    expect(new Set(payments.map(({ attributes }) => attributes["payment.card.type"]))).toEqual(
      new Set(["visa", "mastercard", "amex"]),
    );
    expect(new Set(pricing.map(({ attributes }) => attributes["cart.size"]))).toEqual(
      new Set(["small", "medium", "large"]),
    );
    for (const { attributes, resource } of payments) {
      expect(attributes["customer.region"]).toBe(resource["cloud.region"]);
    }
    const newer = payments.filter(({ resource }) => resource["service.version"] === "2.4.0");
    expect(Math.abs(newer.length / payments.length - 0.5)).toBeLessThan(0.05);
  });

  test("both database clients name the database", () => {
    const queries = seen.spans.filter(
      ({ attributes }) => attributes["db.system.name"] !== undefined,
    );
    expect(new Set(queries.map(({ service }) => service))).toEqual(
      new Set(["catalog", "inventory"]),
    );
    expect(new Set(queries.map(({ attributes }) => attributes["server.address"]))).toEqual(
      new Set(["database"]),
    );
    expect(queries.every(({ kind, failed }) => kind === "client" && !failed)).toBe(true);
  });

  test("hardly anything fails", () => {
    expect(seen.truth.requests).toBeGreaterThan(240);
    expect(seen.truth.failed).toBeLessThanOrEqual(noiseMax);
  });
});

describe("faults", () => {
  test("a: one card type fails in one version in one region, and the record knows whom", async () => {
    const { spans, during, truth } = await check("a", 600);
    const failing = failuresOf(spans, "payments", "server").filter(({ eventNames }) =>
      eventNames.includes("exception"),
    );
    const combinations = failing.map(({ attributes, resource }) =>
      [resource["service.version"], resource["cloud.region"], attributes["payment.card.type"]].join(
        " ",
      ),
    );
    const expected = combinations.filter((text) => text === "2.4.0 eu-west-1 amex");
    expect(expected.length).toBeGreaterThan(8);
    expect(combinations.length - expected.length).toBeLessThanOrEqual(noiseMax);
    const healthy = only(during, "payments", "server").filter(
      ({ attributes, resource, failed }) =>
        !failed &&
        resource["service.version"] === "2.4.0" &&
        resource["cloud.region"] === "eu-west-1" &&
        attributes["payment.card.type"] === "amex",
    );
    expect(healthy).toEqual([]);
    expect(customersOf(failuresOf(spans, "frontend", "server"))).toBe(truth.customersFailed);
  }, 90_000);

  test("b: the database's queries take long, and those who wait for them", async () => {
    const { during, truth } = await check("b");
    for (const service of ["catalog", "inventory"]) {
      const queries = only(during, service, "client");
      expect(queries.length).toBeGreaterThan(20);
      expect(Math.min(...queries.map(({ durationMs }) => durationMs))).toBeGreaterThanOrEqual(390);
    }
    expect(medianMs(only(during, "pricing", "server"))).toBeLessThan(100);
    expect(truth.slow).toBeGreaterThan(150);
    expect(truth.failed).toBeLessThanOrEqual(noiseMax);
  }, 60_000);

  test("c: nobody answers for tax, pricing fails, and afterwards all is well", async () => {
    const { during, truth } = await check("c");
    expect(only(during, "tax", "server")).toEqual([]);
    const calls = only(during, "pricing", "client");
    expect(calls.length).toBeGreaterThan(50);
    expect(
      calls.every(({ failed, attributes }) => failed && attributes["server.address"] === "tax"),
    ).toBe(true);
    expect(truth.customersFailed).toBeGreaterThan(50);
    const after = await check("none", 100);
    expect(after.truth.failed).toBeLessThanOrEqual(noiseMax);
    expect(only(after.spans, "tax", "server").length).toBeGreaterThan(20);
  }, 90_000);

  test("d: the new version is slow for large carts, and the deploy fails nobody", async () => {
    const { during, truth } = await check("d", 300);
    const served = only(during, "pricing", "server").filter(
      ({ resource }) => resource["service.version"] === "1.9.0",
    );
    const large = served.filter(({ attributes }) => attributes["cart.size"] === "large");
    const other = served.filter(({ attributes }) => attributes["cart.size"] !== "large");
    expect(large.length).toBeGreaterThan(10);
    expect(Math.min(...large.map(({ durationMs }) => durationMs))).toBeGreaterThan(490);
    expect(medianMs(other)).toBeLessThan(100);
    expect(truth.slow).toBeGreaterThanOrEqual(large.length);
    expect(truth.failed).toBeLessThanOrEqual(noiseMax);
    expect(shop.services.filter(({ name }) => name === "pricing")).toMatchObject([
      { version: "1.8.0" },
    ]);
  }, 60_000);

  test("e: thousands of errors, one customer", async () => {
    const { spans, truth } = await check("e", 1500);
    expect(truth.failed).toBeGreaterThan(1000);
    expect(truth.customersFailed).toBeLessThanOrEqual(1 + noiseMax);
    const failures = failuresOf(spans, "frontend", "server");
    expect(failures.length).toBeGreaterThan(1000);
    expect(customersOf(failures)).toBe(truth.customersFailed);
  }, 60_000);

  test("f: tax goes wrong within, pricing shows nothing, checkout fails", async () => {
    const { during, truth } = await check("f");
    expect(failuresOf(during, "tax", "internal").length).toBeGreaterThan(50);
    expect(failuresOf(during, "tax", "server")).toEqual([]);
    expect(during.filter(({ service, failed }) => service === "pricing" && failed)).toEqual([]);
    const failures = failuresOf(during, "checkout", "server");
    expect(failures.length).toBeGreaterThan(50);
    expect(failuresOf(during, "checkout", "client").length).toBeLessThanOrEqual(noiseMax);
    expect(truth.customersFailed).toBeGreaterThan(50);
  }, 60_000);

  test("no word of them is in the telemetry", () => {
    const told = sink.texts.join("\n").toLowerCase();
    expect(told).toContain("frontend");
    const words = ["inject", "chaos", "simulat", "trouble", "misbehav", "stray", "on purpose"];
    const titles = faultLetters.flatMap((letter) => [
      faults[letter].title,
      faults[letter].description,
    ]);
    const found = [...words, ...titles].filter((word) => told.includes(word.toLowerCase()));
    expect(found).toEqual([]);
    expect(told).not.toMatch(/(?<!de)fault/);
  });
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

describe("the end", () => {
  test("no process remains after shutdown, which may be called twice", async () => {
    const pids = shop.pids;
    expect(pids.filter(isAlive)).toHaveLength(17);
    await shop.shutdown();
    await shop.shutdown();
    expect(pids.filter(isAlive)).toEqual([]);
  });

  test("no process outlives a runner that is killed", async () => {
    const runner = fork(new URL("run-shop.mjs", import.meta.url), [shopUrl, sink.endpoint]);
    const [pids] = (await once(runner, "message")) as [number[]];
    expect(pids.filter(isAlive)).toHaveLength(17);
    runner.kill("SIGKILL");
    await expect.poll(() => pids.filter(isAlive), { timeout: 10_000 }).toEqual([]);
  }, 60_000);
});
