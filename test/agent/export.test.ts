import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { describe, expect, test } from "vitest";
import { createHttpLink } from "../../agent/export/http-link.ts";
import { listen } from "../../agent/receivers/listen.ts";
import { OperationalError } from "../../base/errors.ts";

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
        const { code, retryable, message, retryAfterMs } = cause;
        return { code, retryable, message, retryAfterMs };
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
    [409, "HASH_KEY_MISMATCH", true],
    [412, "STREAM_GAPS", false],
    [413, "BATCH_TOO_LARGE", false],
    [415, "BATCH_VERSION", true],
    [503, "STORE_WRITE", true],
  ])("an answer of %d with %s", async (status, code, retryable) => {
    const { sent } = await check((_, response) => {
      response
        .writeHead(status)
        .end(JSON.stringify({ code, message: "because", retryAfterMs: 700 }));
    });
    const message = `the collector answers ${status}: because`;
    expect(sent).toEqual({ code, retryable, message, retryAfterMs: 700 });
  });

  test.each([
    [400, "<html>bad request</html>", "COLLECTOR_UNREACHABLE"],
    [400, '{"code":"OF_A_LATER_VERSION","message":"because"}', "COLLECTOR_UNREACHABLE"],
    [404, "", "COLLECTOR_UNREACHABLE"],
    [409, '{"error":"conflict"}', "COLLECTOR_UNREACHABLE"],
    [413, "too large for this proxy", "COLLECTOR_UNREACHABLE"],
    [429, "", "COLLECTOR_UNREACHABLE"],
    [503, "", "OVERLOADED"],
  ])(
    "an answer of %d that is not the collector's loses nothing: %s",
    async (status, body, code) => {
      const { sent } = await check((_, response) => {
        response.writeHead(status, { "retry-after": "3" }).end(body);
      });
      expect(sent).toMatchObject({ code, retryable: true });
      expect("retryAfterMs" in sent && sent.retryAfterMs).toBe(
        body.startsWith('{"code') ? undefined : 3_000,
      );
    },
  );

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
