import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { describe, expect, test } from "vitest";
import { createExporter } from "../../agent/export/exporter.ts";
import { createHttpLink } from "../../agent/export/http-link.ts";
import { listen } from "../../agent/receivers/listen.ts";
import { createVirtualClock } from "../../base/clock.ts";
import { OperationalError } from "../../base/errors.ts";
import { silentLog } from "../../base/log.ts";
import { createMeter } from "../../base/meter.ts";
import type { Ack, CollectorLink, Thresholds } from "../../wire/agent-link.ts";

const passing = new OperationalError("OVERLOADED", "busy", { retryable: true });
const final = new OperationalError("BATCH_INVALID", "bad");

/** An exporter over a link that answers as scripted, then takes everything. */
function start(script: (Error | number)[], limits: { batches?: number; bytes?: number } = {}) {
  const clock = createVirtualClock(0);
  const meter = createMeter();
  const taken: number[] = [];
  const learned: Thresholds[] = [];
  const link: CollectorLink = {
    async send(batch): Promise<Ack> {
      const next = script.shift();
      if (next instanceof Error) throw next;
      taken.push(batch[0] as number);
      return { have: [], thresholdsRevision: next ?? 0, collectorTimeMs: 0 };
    },
    thresholds: async () => ({ revision: 2, items: [] }),
  };
  const exporter = createExporter({
    clock,
    meter,
    link,
    log: silentLog,
    queueBatchesMax: limits.batches ?? 100,
    queueBytesMax: limits.bytes ?? 1_000_000,
    chance: () => 0.999,
    onThresholds: (thresholds) => learned.push(thresholds),
  });
  const add = (...numbers: number[]): void => {
    for (const number of numbers)
      exporter.add({ bytes: Uint8Array.of(number, 0, 0), spans: number });
  };
  const lost = (reason: string): number =>
    meter.counter("brunt_agent_spans_lost_total", "", { reason }).value;
  return { clock, exporter, taken, learned, add, lost };
}

describe("exporter", () => {
  test("batches go out in order, one at a time", async () => {
    const { exporter, add, taken } = start([]);
    add(1, 2, 3);
    expect(exporter.idle).toBe(false);
    await exporter.flush();
    expect(taken).toEqual([1, 2, 3]);
    expect(exporter.idle).toBe(true);
  });

  test("what may pass is tried again after growing pauses, in the same order", async () => {
    const { exporter, add, taken, clock, lost } = start([passing, passing, passing]);
    add(1, 2);
    for (const [pause, expected] of [
      [499, []],
      [1_000, []],
      [2_000, [1, 2]],
    ] as const) {
      await settle();
      clock.advance(pause);
      await settle();
      clock.advance(1);
      await settle();
      expect(taken).toEqual(expected);
    }
    expect([exporter.idle, lost("refused")]).toEqual([true, 0]);
  });

  test("what is refused for good is dropped and counted, the rest goes on", async () => {
    const { exporter, add, taken, lost } = start([0, final, 0]);
    add(1, 2, 3);
    await exporter.flush();
    expect([taken, lost("refused")]).toEqual([[1, 3], 2]);
  });

  test("a full queue drops the oldest and says so", async () => {
    const { exporter, add, taken, lost } = start([passing], { batches: 3 });
    add(1);
    await settle();
    add(2, 3, 4, 5);
    await exporter.flush();
    expect([taken, lost("queue_full")]).toEqual([[3, 4, 5], 3]);
  });

  test("a queue is bounded by bytes too", async () => {
    const { exporter, add, taken, lost } = start([passing], { bytes: 7 });
    add(1);
    await settle();
    add(2, 3);
    await exporter.flush();
    expect([taken, lost("queue_full")]).toEqual([[2, 3], 1]);
  });

  test("thresholds are fetched when an acknowledgement names new ones", async () => {
    const { exporter, add, learned } = start([0, 2, 2]);
    add(1, 2, 3);
    await exporter.flush();
    expect(learned.map(({ revision }) => revision)).toEqual([2]);
  });

  test("shutdown sends once more, then declares the rest lost", async () => {
    const { exporter, add, taken, lost } = start([passing, 0, passing]);
    add(1, 2, 4);
    await settle();
    await exporter.shutdown();
    expect([taken, lost("shutdown")]).toEqual([[1], 6]);
    await exporter.shutdown();
    add(8);
    expect(lost("shutdown")).toBe(14);
  });
});

/** Lets promises that are already settled run their course. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

describe("HTTP link", () => {
  const ack = { have: [[1, 4]], thresholdsRevision: 5, collectorTimeMs: 9 };

  async function check(
    answer: (request: IncomingMessage, response: ServerResponse, body: string) => void,
    options: { timeoutMs?: number } = {},
  ) {
    const server = createServer((request, response) => {
      let body = "";
      request.on("data", (chunk: Buffer) => (body += chunk.toString("hex")));
      request.on("end", () => answer(request, response, body));
    });
    const listening = await listen(server, { host: "127.0.0.1", port: 0 });
    const link = createHttpLink(`http://127.0.0.1:${listening.port}`, options);
    const outcome = async <T>(call: Promise<T>) => {
      try {
        return { value: await call };
      } catch (cause) {
        if (!(cause instanceof OperationalError)) throw cause;
        return { code: cause.code, retryable: cause.retryable, message: cause.message };
      }
    };
    const results = {
      sent: await outcome(link.send(Uint8Array.of(1, 2, 3))),
      thresholds: await outcome(link.thresholds()),
    };
    link.close();
    await listening.close();
    return results;
  }

  test("batches are posted, thresholds read", async () => {
    const seen: string[] = [];
    const item = { service: "s", operation: "o", kind: "server", peer: "", slowBucket: -1 };
    const { sent, thresholds } = await check((request, response, body) => {
      seen.push(
        `${request.method} ${request.url} ${request.headers["content-type"] ?? ""} ${body}`,
      );
      const content = request.method === "POST" ? ack : { revision: 5, items: [item] };
      response.end(JSON.stringify(content));
    });
    expect(sent).toEqual({ value: ack });
    expect(thresholds).toEqual({ value: { revision: 5, items: [item] } });
    expect(seen).toEqual([
      "POST /api/v1/batches application/vnd.brunt.sketch-batch 010203",
      "GET /api/v1/thresholds  ",
    ]);
  });

  test.each([
    [400, "BATCH_INVALID", false],
    [409, "STREAM_FORKED", false],
    [413, "BATCH_TOO_LARGE", false],
    [429, "COLLECTOR_UNREACHABLE", true],
    [500, "COLLECTOR_UNREACHABLE", true],
    [503, "OVERLOADED", true],
  ])("an answer of %d", async (status, code, retryable) => {
    const { sent } = await check((_, response) => {
      response.writeHead(status).end('{"code":"X","message":"because"}');
    });
    expect(sent).toEqual({
      code,
      retryable,
      message: `the collector answers ${status}: because`,
    });
  });

  test.each([
    ["no JSON", "no"],
    ["another shape", '{"have":7}'],
    ["ranges out of order", '{"have":[[5,6],[1,2]],"thresholdsRevision":1,"collectorTimeMs":1}'],
  ])("a malformed answer: %s", async (_, body) => {
    const { sent, thresholds } = await check((__, response) => response.end(body));
    expect(sent).toMatchObject({ code: "COLLECTOR_UNREACHABLE", retryable: true });
    expect(thresholds).toMatchObject({ code: "COLLECTOR_UNREACHABLE", retryable: true });
  });

  test("a collector that says nothing", async () => {
    const { sent } = await check(() => {}, { timeoutMs: 50 });
    expect(sent).toMatchObject({ code: "COLLECTOR_UNREACHABLE", retryable: true });
  });

  test("a collector that breaks off, and one that is not there", async () => {
    const { sent } = await check((request) => request.socket.destroy());
    expect(sent).toMatchObject({ code: "COLLECTOR_UNREACHABLE", retryable: true });
    const nobody = createHttpLink("http://127.0.0.1:1");
    await expect(nobody.send(Uint8Array.of(1))).rejects.toMatchObject({ retryable: true });
    nobody.close();
  });
});
