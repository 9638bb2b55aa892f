/** Metrics in windows: under which keys, beside spans, within bounds, and counted once. */
import { describe, expect, test } from "vitest";
import { quantileDigest } from "../../sketch/digest.ts";
import { cellsOf, startTestAgent, type TestAgent, valuesOf } from "./fixture.ts";
import { type GaugeLiteral, gaugesOf } from "./gauges.ts";

function check({ agent }: TestAgent, ...gauges: GaugeLiteral[]) {
  const taken = agent.ingestMetrics(gaugesOf(gauges));
  if (!taken.ok) throw new Error(taken.error.message);
  return taken.value;
}

describe("keys", () => {
  test("service, version, environment, region and the user's dimensions are those of spans", async () => {
    const agent = await startTestAgent({ dimensions: ["zone", "http.route"] });
    const resource = {
      "service.version": "1.2",
      "deployment.environment.name": "prod",
      "cloud.region": "eu",
      zone: "a",
    };
    check(agent, { value: 1, resource, attributes: { "http.route": "/buy", pod: "p-1" } });
    await agent.moveTo(20_000);
    expect(agent.windows()[0]?.cube.keys.keys).toEqual([
      ["shop", "queue.length", "metric", "", "1.2", "prod", "eu", "a", "/buy"],
    ]);
  });

  test("a workload stands in for a service without a name", async () => {
    const agent = await startTestAgent();
    const resource = { "service.name": "", "k8s.deployment.name": "cart" };
    check(agent, { value: 1, resource });
    await agent.moveTo(20_000);
    expect([...valuesOf(agent.windows()).keys()]).toEqual(["cart queue.length"]);
  });

  test("kinds of one quantity are apart, alike things together", async () => {
    const agent = await startTestAgent();
    const name = "system.memory.usage";
    check(
      agent,
      { name, value: 7, attributes: { "system.memory.state": "used" } },
      { name, value: 1, attributes: { "system.memory.state": "free" } },
      { name: "system.disk.io", value: 3, attributes: { "system.device": "sda" } },
      { name: "system.disk.io", value: 5, attributes: { "system.device": "sdb" } },
    );
    await agent.moveTo(20_000);
    const values = valuesOf(agent.windows());
    expect([...values].map(([key, { min, max }]) => [key, min, max])).toEqual([
      ["shop system.disk.io", 3, 5],
      ["shop system.memory.usage{system.memory.state=free}", 1, 1],
      ["shop system.memory.usage{system.memory.state=used}", 7, 7],
    ]);
  });
});

describe("windows", () => {
  test("a point is in the window of its time, and spans know nothing of it", async () => {
    const agent = await startTestAgent();
    agent.ingest({ id: 1, to: 10, status: "error" });
    check(agent, { value: 1, at: 9_999 }, { value: 5, at: 9_000 }, { value: 2, at: 10_000 });
    await agent.moveTo(40_000);
    const windows = agent.windows();
    expect(windows.map(({ counts }) => [counts.spans, counts.errors])).toEqual([
      [1, 1],
      [0, 0],
    ]);
    expect(windows.map((batch) => batch.keyDemand)).toEqual([1, 0]);
    const [first, second] = windows.map((batch) => cellsOf(batch).get("shop queue.length"));
    expect([first?.count, first?.values?.min, first?.values?.max]).toEqual([0, 1, 5]);
    expect(quantileDigest(second?.values as never, 0.5)).toBe(2);
    expect(agent.agent.ledger().spans.sealed).toBe(1);
  });

  test("points out of time are refused, each reason told", async () => {
    const agent = await startTestAgent();
    const taken = check(
      agent,
      { value: 1 },
      { value: 1, at: 31_000 },
      { value: 1, at: -172_900_000 },
    );
    expect(taken).toEqual({
      accepted: 1,
      rejected: 2,
      message:
        "1 data points are more than 48 hours old; " +
        "1 data points are more than 30 seconds ahead of this clock",
    });
  });

  test("metrics beyond their bound are refused, and take no room from spans", async () => {
    const agent = await startTestAgent({ metricKeysMax: 2, keysMax: 64 });
    const gauges = ["a", "b", "c", "a"].map((name) => ({ name, value: 1 }));
    const taken = check(agent, ...gauges);
    expect([taken.accepted, taken.rejected]).toEqual([3, 1]);
    expect(taken.message).toContain("metricKeysMax");
    for (let id = 1; id <= 48; id++)
      agent.ingest({ id, name: `work${String.fromCharCode(64 + id)}` });
    await agent.moveTo(20_000);
    const [batch] = agent.windows();
    // Three quarters of 64 keys are whole ones.
    expect(batch?.folded).toEqual([]);
    expect(batch?.cube.cells.size).toBe(48 + 2);
  });

  test("none are taken where the bound is 0", async () => {
    const agent = await startTestAgent({ metricKeysMax: 0 });
    expect(check(agent, { value: 1 }).rejected).toBe(1);
  });

  test("the same bytes again are answered and not counted", async () => {
    const agent = await startTestAgent();
    const request = gaugesOf([{ value: 1 }]);
    const first = agent.agent.ingestMetrics(request);
    expect(agent.agent.ingestMetrics(request)).toEqual(first);
    await agent.moveTo(20_000);
    expect(valuesOf(agent.windows()).get("shop queue.length")?.count).toBe(1);
  });
});
