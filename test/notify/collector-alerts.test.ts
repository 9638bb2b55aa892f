/** A whole collector that alerts, and its silences over HTTP. */
import { afterEach, describe, expect, test } from "vitest";
import type { AlertMessage, Silence } from "../../wire/alerts.ts";
import type { Incident } from "../../wire/api-types.ts";
import { metric, type Running, startCollector, startMs } from "../collector/fixture.ts";
import { temporaryDirectory } from "../collector/temporary.ts";
import { until } from "../processes/wait.ts";
import { type Sink, startSink } from "./sink.ts";

const running: Running[] = [];
const sinks: Sink[] = [];

afterEach(async () => {
  for (const { collector } of running.splice(0)) await collector.shutdown();
  for (const sink of sinks.splice(0)) await sink.close();
});

async function start(options: Parameters<typeof startCollector>[0]): Promise<Running> {
  const started = await startCollector({ errorsMax: 0, ...options });
  running.push(started);
  return started;
}

async function sinkOf(): Promise<Sink> {
  const sink = await startSink();
  sinks.push(sink);
  return sink;
}

/** A window in which a span failed, or none did. */
async function window(at: Running, number: number, failed: boolean): Promise<void> {
  await at.send({ seq: number + 1, window: number, spans: [{ failed }] });
  await at.advance(10_000);
}

function keysAt(sink: Sink): readonly string[] {
  return (sink.bodies as AlertMessage[]).flatMap(({ alerts }) => alerts.map(({ key }) => key));
}

async function arrived(sink: Sink, keys: readonly string[]): Promise<void> {
  const isThere = (): boolean => keysAt(sink).length >= keys.length;
  await until(`${keys.length} alerts`, isThere, { withinMs: 10_000, everyMs: 10 });
  expect(keysAt(sink)).toEqual(keys);
}

interface Answer<T> {
  readonly status: number;
  readonly body: T;
}

async function ask<T>(at: Running, path: string, init: RequestInit = {}): Promise<Answer<T>> {
  const response = await fetch(`${at.url}${path}`, init);
  const text = await response.text();
  return { status: response.status, body: (text === "" ? undefined : JSON.parse(text)) as T };
}

function post<T>(at: Running, body: unknown): Promise<Answer<T>> {
  const headers = { "content-type": "application/json" };
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return ask<T>(at, "/api/v1/silences", { method: "POST", headers, body: text });
}

const onShop = [{ name: "service", value: "shop" }];

describe("a collector with a webhook", () => {
  test("tells it what fires and what is resolved, once, over a restart", async () => {
    const sink = await sinkOf();
    const dataDir = temporaryDirectory();
    const config = { webhooks: [sink.url], allowedTargets: ["127.0.0.1"] };
    const first = await start({ dataDir, config });
    await window(first, 0, true);
    await window(first, 1, true);
    await first.advance(20_000);
    await arrived(sink, ["incident-1:firing:1"]);
    await first.collector.shutdown();
    const second = await start({ dataDir, config, nowMs: first.clock.nowMs() });
    await window(second, 2, false);
    await second.advance(30_000);
    await arrived(sink, ["incident-1:firing:1", "incident-1:resolved:1"]);
  });

  test("does not lead to loopback unless that is allowed", async () => {
    const sink = await sinkOf();
    const at = await start({ dataDir: temporaryDirectory(), config: { webhooks: [sink.url] } });
    await window(at, 0, true);
    await at.advance(20_000);
    const refusals = (): number => metric(at.meter, "brunt_notifier_failures_total");
    await until("it is refused", () => refusals() > 0, { withinMs: 10_000, everyMs: 10 });
    expect(sink.bodies).toEqual([]);
  });
});

describe("silences over HTTP", () => {
  test("are made, shown, kept over a restart, and ended", async () => {
    const dataDir = temporaryDirectory();
    const first = await start({ dataDir });
    await window(first, 0, true);
    await first.advance(20_000);
    const endsAtMs = startMs + 600_000;
    const made = await post<Silence>(first, { matchers: onShop, endsAtMs, comment: "by night" });
    expect(made).toMatchObject({
      status: 201,
      body: { matchers: onShop, endsAtMs, comment: "by night", createdAtMs: first.clock.nowMs() },
    });
    expect((await ask(first, "/api/v1/silences")).body).toEqual([made.body]);
    const incidents = await ask<Incident[]>(first, "/api/v1/incidents");
    expect(incidents.body).toMatchObject([{ id: "incident-1", silencedUntilMs: endsAtMs }]);
    const one = await ask<Incident>(first, "/api/v1/incidents/incident-1");
    expect(one.body).toMatchObject({ silencedUntilMs: endsAtMs });
    await first.collector.shutdown();

    const second = await start({ dataDir, nowMs: first.clock.nowMs() });
    expect((await ask(second, "/api/v1/silences")).body).toEqual([made.body]);
    const path = `/api/v1/silences/${made.body.id}`;
    expect((await ask(second, path, { method: "DELETE" })).status).toBe(204);
    expect((await ask(second, path, { method: "DELETE" })).status).toBe(404);
    expect((await ask(second, "/api/v1/silences")).body).toEqual([]);
    const after = await ask<Incident>(second, "/api/v1/incidents/incident-1");
    expect(after.body).not.toHaveProperty("silencedUntilMs");
  });

  test("end by themselves", async () => {
    const at = await start({ dataDir: temporaryDirectory() });
    await post(at, { matchers: onShop, endsAtMs: startMs + 5_000 });
    await at.advance(4_000);
    expect((await ask<[]>(at, "/api/v1/silences")).body).toHaveLength(1);
    await at.advance(1_000);
    expect((await ask<[]>(at, "/api/v1/silences")).body).toHaveLength(0);
  });

  const endsAtMs = startMs + 60_000;
  test.each<[name: string, body: unknown, status: number]>([
    ["no body", "", 400],
    ["no JSON", "{", 400],
    ["no object", [], 400],
    ["no matchers", { endsAtMs }, 400],
    ["an empty list of matchers", { matchers: [], endsAtMs }, 400],
    ["too many matchers", { matchers: Array(17).fill(onShop[0]), endsAtMs }, 400],
    ["a matcher without a name", { matchers: [{ value: "a" }], endsAtMs }, 400],
    ["a matcher with more", { matchers: [{ ...onShop[0], isRegex: true }], endsAtMs }, 400],
    ["a value that is no text", { matchers: [{ name: "a", value: 1 }], endsAtMs }, 400],
    ["a long value", { matchers: [{ name: "a", value: "x".repeat(513) }], endsAtMs }, 400],
    ["no end", { matchers: onShop }, 400],
    ["an end in the past", { matchers: onShop, endsAtMs: startMs }, 400],
    ["an end as text", { matchers: onShop, endsAtMs: String(endsAtMs) }, 400],
    ["an end in 2 years", { matchers: onShop, endsAtMs: startMs + 732 * 86_400_000 }, 400],
    ["a comment that is no text", { matchers: onShop, endsAtMs, comment: 1 }, 400],
    ["a field nobody knows", { matchers: onShop, endsAtMs, startsAtMs: 1 }, 400],
    ["a prototype", `{"__proto__":{},"matchers":${JSON.stringify(onShop)},"endsAtMs":9}`, 400],
    ["too large", { matchers: onShop, endsAtMs, comment: "x".repeat(40_000) }, 413],
  ])("refused: %s", async (_, body, status) => {
    const at = await start({ dataDir: temporaryDirectory() });
    const answer = await post<{ code: string }>(at, body);
    expect(answer.status).toBe(status);
    expect((await ask(at, "/api/v1/silences")).body).toEqual([]);
  });
});
