/** Whose watermark counts, who lowers the coverage, and that nobody wrong holds up the others. */
import { describe, expect, test } from "vitest";
import type { WindowSummary } from "../../wire/api-types.ts";
import {
  type BatchSpec,
  metric,
  type Running,
  type SpanSpec,
  startCollector,
  startMs,
  windowMs,
} from "./fixture.ts";
import { temporaryDirectory } from "./temporary.ts";

const ten: readonly SpanSpec[] = Array.from({ length: 10 }, () => ({}));
const hourMs = 3_600_000;

interface Seen {
  readonly window: number;
  readonly spans: number;
  readonly coverage: number;
  /** From the window's end to its decision. */
  readonly afterMs: number;
  readonly revised: boolean;
}

/** A collector that has run for a while with agents 1 and 2, both of ten spans a window. */
async function check(run: (running: Running, seen: () => Seen[]) => Promise<void>): Promise<void> {
  const running = await startCollector({ dataDir: temporaryDirectory() });
  try {
    await running.advance(6_000);
    for (let window = 0; window < 3; window++) await report(running, window, [1, 2]);
    running.decider.seen.length = 0;
    await run(running, () =>
      running.decider.seen.map((one) => ({
        window: (one.startMs - startMs) / windowMs,
        spans: one.spans,
        coverage: Number(one.coverage.toFixed(3)),
        afterMs: one.nowMs - one.startMs - windowMs,
        revised: one.revised,
      })),
    );
  } finally {
    await running.collector.shutdown();
  }
}

/** What these agents say of a window 6 s after its end, and time goes on to then. */
async function report(
  running: Running,
  window: number,
  streams: readonly number[],
  spec: BatchSpec = {},
): Promise<void> {
  const endMs = startMs + (window + 1) * windowMs;
  const waitMs = endMs + 6_000 - running.clock.nowMs();
  if (waitMs > 0) await running.advance(waitMs);
  for (const stream of streams) await running.send(recordOf(window, { stream, ...spec }));
}

function recordOf(window: number, spec: BatchSpec): BatchSpec {
  const seq = window + 1;
  const watermarkMs = startMs + (window + 1) * windowMs;
  return { seq, streamSpans: 10 * seq, window, spans: ten, watermarkMs, ...spec };
}

/** A sign of life as the agent would send it then, with nothing more held. */
function heartbeatOf(window: number, spec: BatchSpec): BatchSpec {
  const { spans: _, window: __, ...header } = recordOf(window, spec);
  return { oldestSeq: header.seq as number, ...header };
}

async function summaries({ url }: Running): Promise<WindowSummary[]> {
  return (await (await fetch(`${url}/api/v1/windows`)).json()) as WindowSummary[];
}

describe("both agents report", () => {
  test("a window closes as soon as the second has, and is covered", () =>
    check(async (running, seen) => {
      await report(running, 3, [1, 2]);
      expect(seen()).toEqual([
        { window: 3, spans: 20, coverage: 1, afterMs: 6_000, revised: false },
      ]);
    }));
});

describe("one agent is not as it should be, the other is not held up and covers half", () => {
  const half = { window: 6, spans: 10, coverage: 0.5, afterMs: 6_000, revised: false };

  async function last(seen: () => Seen[]): Promise<Seen | undefined> {
    return seen()
      .filter(({ window }) => window === 6)
      .at(0);
  }

  test("silent", () =>
    check(async (running, seen) => {
      for (let window = 3; window < 7; window++) await report(running, window, [1]);
      expect(await last(seen)).toEqual(half);
      expect(metric(running.meter, "brunt_collector_silent_agents")).toBe(1);
      expect(metric(running.meter, "brunt_collector_coverage_now_ratio")).toBe(0.5);
      expect((await summaries(running))[0]).toMatchObject({ coverage: 0.5, silentAgents: 1 });
    }));

  test("alive, but records of it are still to come", () =>
    check(async (running, seen) => {
      for (let window = 3; window < 7; window++) {
        await running.advance(startMs + (window + 1) * windowMs + 5_000 - running.clock.nowMs());
        const watermarkMs = startMs + window * windowMs;
        await running.send(heartbeatOf(window, { stream: 2, oldestSeq: 4, watermarkMs }));
        await report(running, window, [1]);
      }
      expect(await last(seen)).toEqual(half);
      expect(metric(running.meter, "brunt_collector_silent_agents")).toBe(0);
    }));

  test("its clock is an hour behind", () =>
    check(async (running, seen) => {
      const behind = { window: -357, watermarkMs: startMs - hourMs };
      for (let window = 3; window < 7; window++) {
        await report(running, window, [2], behind);
        await report(running, window, [1]);
      }
      expect(await last(seen)).toEqual(half);
    }));

  test("its clock is two hours ahead: what it says of the future is not believed", () =>
    check(async (running, seen) => {
      for (let window = 3; window < 7; window++) {
        const watermarkMs = running.clock.nowMs() + 2 * hourMs;
        await report(running, window, [2], { window: window + 720, watermarkMs });
        await report(running, window, [1]);
      }
      expect(await last(seen)).toEqual(half);
      expect(metric(running.meter, "brunt_collector_ledger_aside_spans")).toBe(40);
    }));

  test("it was not listening for a part of the window, and says so", () =>
    check(async (running, seen) => {
      await report(running, 3, [1, 2]);
      const gapFromMs = startMs + 65_000;
      await report(running, 4, [1, 2]);
      await report(running, 5, [1]);
      await running.send(
        recordOf(5, { stream: 2, window: undefined as never, gapFromMs, gapToMs: gapFromMs + 1 }),
      );
      await report(running, 6, [1, 2], {});
      expect(await last(seen)).toEqual({ ...half, spans: 20 });
    }));

  test("it declares records of the window lost", () =>
    check(async (running, seen) => {
      for (let window = 3; window < 6; window++) await report(running, window, [1, 2]);
      await report(running, 6, [1]);
      const windowStartMs = startMs + 6 * windowMs;
      await running.send({
        ...{ stream: 2, seq: 8, streamSpans: 70, watermarkMs: windowStartMs + windowMs },
        ...{ cause: "refused", lost: [{ seq: 7, spans: 10, errors: 0, windowStartMs }] },
      });
      await running.advance(500);
      expect(await last(seen)).toEqual({ ...half, afterMs: 6_000 });
    }));
});

describe("late data", () => {
  test("of two agents that were cut off completes the windows, one after the other", () =>
    check(async (running, seen) => {
      await running.advance(60_000);
      expect(seen().map(({ coverage, spans }) => [coverage, spans])).toEqual(Array(5).fill([0, 0]));
      const before = seen().length;
      for (const stream of [1, 2]) {
        // Newest first, and then the backlog.
        for (const window of [7, 3, 4, 5, 6]) await running.send(recordOf(window, { stream }));
        // There is one more that has not come yet, so the watermark says nothing.
        await running.send(heartbeatOf(8, { stream, oldestSeq: 9 }));
        await running.advance(2_000);
      }
      const revised = seen().slice(before);
      expect(revised.every((one) => one.revised)).toBe(true);
      expect(revised.filter(({ window }) => window === 5)).toMatchObject([
        { coverage: 0.5, spans: 10 },
        { coverage: 1, spans: 20 },
      ]);
      const firstMs = startMs + 3 * windowMs;
      const stored = (await summaries(running)).filter((one) => one.windowStartMs >= firstMs);
      expect(stored.map(({ coverage, silentAgents }) => [coverage, silentAgents])).toEqual(
        Array(5).fill([1, 0]),
      );
    }));

  test("raises the flag within 15 s of the last word, and lowers it with the next", () =>
    check(async (running) => {
      const coverage = () => metric(running.meter, "brunt_collector_coverage_now_ratio");
      await running.advance(14_000);
      expect(coverage()).toBe(1);
      await running.advance(1_000);
      expect(coverage()).toBe(0);
      await running.send(heartbeatOf(2, { stream: 1 }));
      expect(coverage()).toBe(0.5);
    }));
});
