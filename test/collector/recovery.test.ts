/**
 * A crash is the object dropped without a shutdown: its virtual time stands still for ever, and in
 * the property its store stops dead in the middle of what it does. `kill.test.ts` kills a process.
 */
import { readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type BatchSpec,
  createMortalStore,
  metric,
  type Running,
  startCollector,
  startMs,
} from "./fixture.ts";
import { temporaryDirectory } from "./temporary.ts";

const seed = 909;
const failed = { failed: true, customer: 1 };

function batches(count: number): BatchSpec[] {
  return Array.from({ length: count }, (_, at) => ({
    stream: 1 + (at % 2),
    seq: 1 + Math.floor(at / 2),
    window: at % 3,
    spans: [failed, { ms: at }],
  }));
}

async function spansOf(running: Running): Promise<number> {
  const windows = (await (await fetch(`${running.url}/api/v1/windows`)).json()) as {
    spans: number;
  }[];
  return windows.reduce((sum, { spans }) => sum + spans, 0);
}

function newestLog(dataDir: string): string {
  const log = join(dataDir, "log");
  const files = readdirSync(log).map((name) => join(log, name));
  return files.filter((path) => statSync(path).size > 200).at(-1) as string;
}

describe("a crash", () => {
  test("at any moment, with everything sent again, counts every span once", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat({ max: 3 }), { minLength: 8, maxLength: 24 }),
        async (steps) => {
          const dataDir = temporaryDirectory();
          const all = batches(steps.length);
          let nowMs = startMs + 20_000;
          let { store, kill } = createMortalStore(dataDir);
          let running = await startCollector({ dataDir, nowMs, store });
          for (const [at, step] of steps.entries()) {
            await running.send(all[at] as BatchSpec);
            if (step === 1) await running.advance(4_000);
            if (step === 2) await running.send(all[Math.floor(at / 2)] as BatchSpec);
            if (step !== 3) continue;
            kill();
            nowMs = running.clock.nowMs() + 1_000;
            ({ store, kill } = createMortalStore(dataDir));
            running = await startCollector({ dataDir, nowMs, store });
          }
          for (const batch of all) await running.send(batch);
          await running.advance(30_000);
          expect(await spansOf(running)).toBe(all.length * 2);
          await running.collector.shutdown();
        },
      ),
      { seed, numRuns: 25 },
    );
  });

  test("keeps what was acknowledged although nobody sends it again", async () => {
    const dataDir = temporaryDirectory();
    const crashed = await startCollector({ dataDir, nowMs: startMs + 20_000 });
    for (const batch of batches(12)) await crashed.send(batch);
    const running = await startCollector({ dataDir, nowMs: startMs + 22_000 });
    await running.advance(40_000);
    expect(await spansOf(running)).toBe(24);
    await running.collector.shutdown();
  });

  test("in the middle of a write costs that write only", async () => {
    const dataDir = temporaryDirectory();
    const crashed = await startCollector({ dataDir, nowMs: startMs + 20_000 });
    for (const batch of batches(12)) await crashed.send(batch);
    const log = newestLog(dataDir);
    truncateSync(log, statSync(log).size - 5);
    const running = await startCollector({ dataDir, nowMs: startMs + 22_000 });
    // The agent never had this one acknowledged, so it sends it again.
    await running.send(batches(12).at(-1) as BatchSpec);
    await running.advance(40_000);
    expect(await spansOf(running)).toBe(24);
    await running.collector.shutdown();
  });

  test("and a flipped bit costs the damaged record, which is counted", async () => {
    const dataDir = temporaryDirectory();
    const crashed = await startCollector({ dataDir, nowMs: startMs + 20_000 });
    for (const batch of batches(12)) await crashed.send(batch);
    const log = newestLog(dataDir);
    const file = readFileSync(log);
    const at = Math.floor(file.length / 2);
    file[at] = (file[at] as number) ^ 16;
    writeFileSync(log, file);
    const running = await startCollector({ dataDir, nowMs: startMs + 22_000 });
    expect(metric(running.meter, "brunt_collector_corrupt_records_total")).toBe(1);
    await running.advance(40_000);
    expect(await spansOf(running)).toBe(22);
    await running.collector.shutdown();
  });

  test("leaves incidents, numbers and the decider as they were", async () => {
    const dataDir = temporaryDirectory();
    const crashed = await startCollector({ dataDir, errorsMax: 0 });
    await crashed.send({ window: 0, spans: [failed] });
    await crashed.advance(26_000);
    const before = await (await fetch(`${crashed.url}/api/v1/incidents`)).json();
    expect(before).toMatchObject([{ id: "incident-1", status: "firing" }]);
    const nowMs = crashed.clock.nowMs();
    const running = await startCollector({ dataDir, nowMs, errorsMax: 0 });
    expect(await (await fetch(`${running.url}/api/v1/incidents`)).json()).toEqual(before);
    await running.send({ seq: 2, window: 1, spans: [{}] });
    await running.advance(26_000);
    const after = await (await fetch(`${running.url}/api/v1/incidents`)).json();
    expect(after).toMatchObject([{ id: "incident-1", status: "resolved" }]);
    await running.collector.shutdown();
  });

  test("does not bring old log files back: they go once their windows are closed", async () => {
    const dataDir = temporaryDirectory();
    let running = await startCollector({ dataDir });
    for (let window = 0; window < 12; window++) {
      await running.send({ seq: window + 1, window, spans: [{}] });
      await running.advance(10_000);
      if (window % 4 === 3) {
        running = await startCollector({ dataDir, nowMs: running.clock.nowMs() });
      }
    }
    await running.advance(120_000);
    // The current file, and the one before it in case the current one loses its head.
    expect(readdirSync(join(dataDir, "log")).length).toBe(2);
    // What the files held is still known: a repeated batch is acknowledged and changes nothing.
    await running.send({ seq: 3, window: 2, spans: [{}] });
    expect(metric(running.meter, "brunt_collector_batches_duplicate_total")).toBe(1);
    await running.collector.shutdown();
  });
});

describe("start and shutdown", () => {
  test("both may be called twice, and shutdown without a start", async () => {
    const dataDir = temporaryDirectory();
    const { collector, send } = await startCollector({ dataDir });
    await collector.start();
    await send({ window: 0, spans: [{}] });
    await collector.shutdown();
    await collector.shutdown();
    await expect(send({ seq: 2 })).rejects.toMatchObject({ code: "NOT_READY", retryable: true });
    await expect(fetch(`http://127.0.0.1:${collector.port}/livez`)).rejects.toThrow();
    const again = await startCollector({ dataDir, nowMs: startMs + 5_000 });
    await again.advance(26_000);
    expect(await spansOf(again)).toBe(1);
    await again.collector.shutdown();
  });
});
