/** Metrics that came to several workers are one agent's, and within its bounds. */
import { expect, test } from "vitest";
import { renderPrometheus } from "../../base/meter.ts";
import { valuesOf } from "../agent/fixture.ts";
import { gaugesOf } from "../agent/gauges.ts";
import { startCrew } from "./crew.ts";

test("values of one metric meet, beside spans", async () => {
  const crew = startCrew(3);
  for (const worker of [0, 1, 2]) {
    crew.ingest(worker, { id: worker + 1 });
    expect(crew.offerMetrics(worker, gaugesOf([{ value: worker }])).ok).toBe(true);
  }
  await crew.moveTo(30_000);
  await crew.shutdown();
  const windows = crew.link.windows();
  expect(windows.map(({ counts }) => counts.spans)).toEqual([3]);
  expect(valuesOf(windows).get("shop queue.length")).toMatchObject({ count: 3, min: 0, max: 2 });
});

test("what their parent has no room for is counted", async () => {
  const crew = startCrew(2, { metricKeysMax: 2 });
  for (const worker of [0, 1]) {
    const gauges = ["a", "b"].map((name) => ({ name: `${name}${worker}`, value: 1 }));
    expect(crew.offerMetrics(worker, gaugesOf(gauges))).toMatchObject({ value: { rejected: 0 } });
  }
  await crew.moveTo(30_000);
  await crew.shutdown();
  expect(valuesOf(crew.link.windows()).size).toBe(2);
  expect(renderPrometheus(crew.meter)).toMatch(/^brunt_agent_worker_metrics_dropped_total 2$/m);
});
