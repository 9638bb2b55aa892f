/** Whole minutes of agents that were long away: history, counted once, and never decided. */
import { expect, test } from "vitest";
import { metric, startCollector, startMs } from "./fixture.ts";
import { temporaryDirectory } from "./temporary.ts";

const minuteMs = 60_000;
const minuteStartMs = Math.floor(startMs / minuteMs) * minuteMs;
const away = { service: "away", customer: 4 };

async function keysOf(url: string): Promise<unknown> {
  const query = `from=${minuteStartMs}&to=${minuteStartMs + minuteMs}`;
  const keys = (await (await fetch(`${url}/api/v1/keys?${query}`)).json()) as {
    key: { value: string }[];
    count: number;
    errors: number;
  }[];
  return keys.map(({ key, count, errors }) => [key[0]?.value, count, errors]);
}

test("a minute is taken, kept beside the windows, revised, and found after a crash", async () => {
  const dataDir = temporaryDirectory();
  const first = await startCollector({ dataDir, nowMs: startMs + minuteMs });
  const minute = { window: 0, windowLengthMs: minuteMs };
  await first.send({ ...minute, seq: 1, spans: [away, away] });
  await first.advance(3_000);
  expect(await keysOf(first.url)).toEqual([["away", 2, 0]]);
  await first.send({ ...minute, seq: 2, spans: [{ ...away, failed: true }] });
  await first.send({ ...minute, seq: 2, spans: [{ ...away, failed: true }] });
  // The second record is in the log and in no file yet when the process is gone.
  const second = await startCollector({ dataDir, nowMs: startMs + minuteMs + 4_000 });
  await second.advance(3_000);
  expect(await keysOf(second.url)).toEqual([["away", 3, 1]]);
  expect([...first.decider.seen, ...second.decider.seen].filter(({ spans }) => spans > 0)).toEqual(
    [],
  );
  expect(metric(first.meter, "brunt_collector_stored_windows")).toBeGreaterThan(0);
  await second.collector.shutdown();
});

test("windows of any other length are refused, as before", async () => {
  const running = await startCollector({ dataDir: temporaryDirectory() });
  const batch = { window: 0, windowLengthMs: 30_000, spans: [away] };
  await expect(running.send(batch)).rejects.toMatchObject({ code: "BATCH_INVALID" });
  await running.collector.shutdown();
});
