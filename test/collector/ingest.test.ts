import { describe, expect, test } from "vitest";
import type { CollectorConfig } from "../../collector/config.ts";
import { createFileStore, type Store } from "../../collector/store/store.ts";
import type { Ack } from "../../wire/agent-link.ts";
import {
  type BatchSpec,
  bytesOf,
  metric,
  type Running,
  startCollector,
  startMs,
} from "./fixture.ts";
import { limpingDisk } from "./limping-disk.ts";
import { temporaryDirectory } from "./temporary.ts";

const batchType = "application/vnd.brunt.sketch-batch";
const path = "/api/v1/batches";

async function withCollector(
  run: (running: Running) => Promise<void>,
  options: { config?: Partial<CollectorConfig>; store?: Store } = {},
): Promise<void> {
  const running = await startCollector({ dataDir: temporaryDirectory(), ...options });
  try {
    await run(running);
  } finally {
    await running.collector.shutdown();
  }
}

async function check(
  running: Running,
  body: Uint8Array | string,
  headers: Record<string, string> = {},
): Promise<{ status: number; body: Ack & { code?: string; message?: string } }> {
  const response = await fetch(`${running.url}${path}`, {
    method: "POST",
    headers: { "content-type": batchType, ...headers },
    body: typeof body === "string" ? body : Buffer.from(body),
  });
  return { status: response.status, body: (await response.json()) as Ack };
}

describe("a batch", () => {
  test("is acknowledged with everything the collector holds of its stream", () =>
    withCollector(async (running) => {
      const seqs = [1, 2, 5, 4, 9];
      let last: Ack | undefined;
      for (const seq of seqs) {
        const { status, body } = await check(running, bytesOf({ seq, window: 0, spans: [{}] }));
        expect(status).toBe(200);
        last = body;
      }
      expect(last).toEqual({
        have: [
          [1, 2],
          [4, 5],
          [9, 9],
        ],
        thresholdsRevision: 3,
        collectorTimeMs: startMs,
      });
    }));

  test("sent many times at once is applied once, and every time acknowledged", () =>
    withCollector(async (running) => {
      const bytes = bytesOf({ window: 0, spans: [{}, {}] });
      const answers = await Promise.all(Array.from({ length: 20 }, () => check(running, bytes)));
      expect(answers.every(({ body }) => body.have?.[0]?.[1] === 1)).toBe(true);
      expect(metric(running.meter, "brunt_collector_batches_applied_total")).toBe(1);
      expect(metric(running.meter, "brunt_collector_batches_duplicate_total")).toBe(19);
      await running.advance(26_000);
      expect(running.decider.seen).toMatchObject([{ spans: 2 }]);
    }));

  test("thousands at once from many streams all count once", () =>
    withCollector(async (running) => {
      const sent = Array.from({ length: 600 }, (_, at) =>
        running.send({
          stream: 1 + (at % 30),
          seq: 1 + Math.floor(at / 30),
          window: 0,
          spans: [{}],
        }),
      );
      await Promise.all(sent);
      await running.advance(26_000);
      expect(running.decider.seen).toMatchObject([{ spans: 600 }]);
    }));
});

const other = { seq: 1, window: 0, spans: [{ ms: 99 }] };
const refusedBatches: readonly {
  name: string;
  first?: BatchSpec;
  second: BatchSpec | Uint8Array | string;
  headers?: Record<string, string>;
  status: number;
  code: string;
}[] = [
  { name: "empty", second: "", status: 400, code: "BATCH_INVALID" },
  { name: "no batch at all", second: "{}", status: 415, code: "BATCH_VERSION" },
  { name: "cut short", second: bytesOf(other).slice(0, -3), status: 400, code: "BATCH_INVALID" },
  {
    name: "followed by more",
    second: Buffer.concat([bytesOf(other), Buffer.from([0])]),
    status: 400,
    code: "BATCH_INVALID",
  },
  {
    name: "larger than 4 MiB",
    second: new Uint8Array(4 * 2 ** 20 + 1),
    status: 413,
    code: "BATCH_TOO_LARGE",
  },
  {
    name: "of JSON",
    second: "{}",
    headers: { "content-type": "application/json" },
    status: 415,
    code: "UNSUPPORTED",
  },
  {
    name: "of plain text, as a form on another page could send",
    second: "x",
    headers: { "content-type": "text/plain" },
    status: 415,
    code: "UNSUPPORTED",
  },
  {
    name: "another one under the same number",
    first: { seq: 1, window: 0, spans: [{}] },
    second: other,
    status: 409,
    code: "STREAM_FORKED",
  },
  {
    name: "hashed with another key",
    first: { seq: 1, window: 0, spans: [{}] },
    second: { stream: 2, window: 0, hashKeyId: "key-2", spans: [{}] },
    status: 409,
    code: "HASH_KEY_MISMATCH",
  },
  {
    name: "with windows of another length",
    second: { ...other, windowLengthMs: 5_000 },
    status: 400,
    code: "BATCH_INVALID",
  },
];

describe("refused, with the next batch served", () => {
  test.each(refusedBatches)("a batch $name", ({ first, second, headers, status, code }) =>
    withCollector(async (running) => {
      if (first !== undefined) await running.send(first);
      const bytes =
        second instanceof Uint8Array || typeof second === "string" ? second : bytesOf(second);
      const answer = await check(running, bytes, headers);
      expect([answer.status, answer.body.code]).toEqual([status, code]);
      expect(answer.body.message).toMatch(/^[^A-Z].*[^.]$/s);
      const next = await check(running, bytesOf({ seq: 2, window: 1, spans: [{}] }));
      expect(next.status).toBe(200);
    }),
  );

  test("a stream that is one too many", () =>
    withCollector(
      async (running) => {
        await running.send({ stream: 1 });
        await expect(running.send({ stream: 2 })).rejects.toMatchObject({
          code: "OVERLOADED",
          retryable: true,
          retryAfterMs: 5_000,
        });
        await running.send({ stream: 1, seq: 2 });
        running.clock.advance(48 * 3_600_000);
        await expect(running.send({ stream: 2 })).rejects.toMatchObject({ code: "OVERLOADED" });
        running.clock.advance(2 * 3_600_000);
        await running.send({ stream: 2 });
      },
      { config: { streamsMax: 1 } },
    ));

  test("bytes beyond the budget, with the time to come back", () =>
    withCollector(
      async (running) => {
        const full = Array.from({ length: 12 }, () => check(running, new Uint8Array(4_000_000)));
        const answers = await Promise.all(full);
        const statuses = new Set(answers.map(({ status }) => status));
        expect([...statuses].sort()).toEqual([400, 503]);
        expect((await check(running, bytesOf(other))).status).toBe(200);
        expect(metric(running.meter, "brunt_collector_in_flight_bytes")).toBe(0);
      },
      { config: { inFlightBytesMax: 4 * 2 ** 20 } },
    ));

  test("while the disk refuses writes: nothing is acknowledged and readiness says so", async () => {
    const disk = { failing: false };
    const store = createFileStore({
      directory: temporaryDirectory(),
      disk: limpingDisk(disk),
    });
    await withCollector(
      async (running) => {
        await running.send({ seq: 1, window: 0, spans: [{}] });
        disk.failing = true;
        const refused = await check(running, bytesOf({ seq: 2, window: 0, spans: [{}] }));
        expect([refused.status, refused.body.code]).toEqual([503, "STORE_WRITE"]);
        expect((await fetch(`${running.url}/readyz`)).status).toBe(503);
        expect((await fetch(`${running.url}/livez`)).status).toBe(200);
        await running.advance(26_000);
        expect(running.decider.seen).toMatchObject([{ spans: 1 }]);
        disk.failing = false;
        const answer = await check(running, bytesOf({ seq: 2, window: 0, spans: [{}] }));
        expect(answer.body.have).toEqual([[1, 2]]);
        expect((await fetch(`${running.url}/readyz`)).status).toBe(200);
        await running.advance(3_000);
        const windows = await (await fetch(`${running.url}/api/v1/windows`)).json();
        expect(windows).toMatchObject([{ spans: 2, revised: true }]);
      },
      { store },
    );
  });
});
