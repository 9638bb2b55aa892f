import { mkdirSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import Fastify from "fastify";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { nodeDisk } from "../../cli/node-disk.ts";
import { bytesOf, type Running, startCollector } from "./fixture.ts";
import { temporaryDirectory } from "./temporary.ts";

interface Document {
  readonly openapi: string;
  readonly paths: Record<string, { readonly get?: Operation }>;
  readonly components: { schemas: Record<string, object> };
}

interface Operation {
  readonly responses: Record<string, { content?: Record<string, { schema: object }> }>;
}

let running: Running;
let dataDir: string;

beforeAll(async () => {
  const { mkdtempSync } = await import("node:fs");
  const { tmpdir } = await import("node:os");
  dataDir = mkdtempSync(join(tmpdir(), "brunt-api-"));
  const uiDir = join(dataDir, "ui");
  mkdirSync(join(uiDir, "assets"), { recursive: true });
  writeFileSync(join(uiDir, "index.html"), "<!doctype html><title>Brunt</title>");
  writeFileSync(join(uiDir, "assets", "app-1a2b.js"), "export {};");
  writeFileSync(join(uiDir, "assets", "secret.key"), "not served");
  running = await startCollector({ dataDir, errorsMax: 0, config: { uiDir } });
  const spans = [
    { failed: true, customer: 1, ms: 40 },
    { service: "__proto__", operation: "<script>alert(1)</script>", version: "toString" },
    { service: "constructor" },
  ];
  await running.send({ window: 0, spans });
  await running.advance(26_000);
});

afterAll(async () => {
  await running.collector.shutdown();
  const { rmSync } = await import("node:fs");
  rmSync(dataDir, { recursive: true, force: true });
});

async function check(path: string, init?: RequestInit): Promise<{ status: number; body: unknown }> {
  const response = await fetch(`${running.url}${path}`, init);
  const text = await response.text();
  const isJson = response.headers.get("content-type")?.startsWith("application/json") === true;
  return { status: response.status, body: isJson ? JSON.parse(text) : text };
}

const requests: readonly [route: string, path: string, status: number][] = [
  ["/api/v1/thresholds", "/api/v1/thresholds", 200],
  ["/api/v1/incidents", "/api/v1/incidents", 200],
  ["/api/v1/incidents", "/api/v1/incidents?status=firing&limit=1", 200],
  ["/api/v1/incidents", "/api/v1/incidents?limit=0", 400],
  ["/api/v1/incidents", "/api/v1/incidents?status=open", 400],
  ["/api/v1/incidents/{id}", "/api/v1/incidents/incident-1", 200],
  ["/api/v1/incidents/{id}", "/api/v1/incidents/__proto__", 404],
  ["/api/v1/graph", "/api/v1/graph", 200],
  ["/api/v1/keys", "/api/v1/keys", 200],
  ["/api/v1/keys", "/api/v1/keys?service=__proto__", 200],
  ["/api/v1/keys", "/api/v1/keys?windows=1e9", 400],
  ["/api/v1/keys", "/api/v1/keys?__proto__=1", 400],
  ["/api/v1/keys", "/api/v1/keys?constructor=1", 400],
  ["/api/v1/keys", "/api/v1/keys?limit=2&limit=3", 400],
  ["/api/v1/windows", "/api/v1/windows?limit=5", 200],
  ["/api/v1/ledger", "/api/v1/ledger", 200],
];

describe("the OpenAPI document", () => {
  test("lists every route", async () => {
    const document = (await check("/api/v1/openapi.json")).body as Document;
    expect(document.openapi).toBe("3.1.0");
    expect(Object.keys(document.paths).sort()).toEqual([
      "/api/v1/batches",
      "/api/v1/graph",
      "/api/v1/incidents",
      "/api/v1/incidents/{id}",
      "/api/v1/keys",
      "/api/v1/ledger",
      "/api/v1/silences",
      "/api/v1/silences/{id}",
      "/api/v1/stream/tickets",
      "/api/v1/thresholds",
      "/api/v1/windows",
      "/livez",
      "/metrics",
      "/readyz",
    ]);
  });

  test.each(requests)("%s says what %s answers (%d)", async (route, path, status) => {
    const document = (await check("/api/v1/openapi.json")).body as Document;
    const responses = document.paths[route]?.get?.responses ?? {};
    const answer = await check(path);
    expect(answer.status).toBe(status);
    const declared = responses[status] ?? responses[`${Math.floor(status / 100)}XX`];
    const schema = declared?.content?.["application/json"]?.schema;
    expect(schema).toBeDefined();
    expect(await validate(document, schema as object, answer.body)).toBe("");
  });

  test("and the validation has teeth", async () => {
    const document = (await check("/api/v1/openapi.json")).body as Document;
    const incident = { $ref: "#/components/schemas/Incident" };
    expect(await validate(document, incident, { id: 5 })).not.toBe("");
  });
});

/** What is wrong with a value by a schema of the document; "" when nothing is. */
async function validate(document: Document, schema: object, value: unknown): Promise<string> {
  const app = Fastify({ ajv: { customOptions: { coerceTypes: false, removeAdditional: false } } });
  const local = (part: object): object =>
    JSON.parse(JSON.stringify(part).replaceAll(/"#\/components\/schemas\/(\w+)"/g, '"$1#"'));
  for (const [name, shared] of Object.entries(document.components.schemas)) {
    app.addSchema({ ...local(shared), $id: name });
  }
  const body = { type: "object", properties: { value: local(schema) } };
  app.post("/check", { schema: { body } }, () => "");
  const answer = await app.inject({ method: "POST", url: "/check", payload: { value } });
  await app.close();
  return answer.statusCode === 200 ? "" : answer.body;
}

describe("answers", () => {
  test("keys carry every value as it is, prototype names too", async () => {
    const { body } = await check("/api/v1/keys?service=__proto__");
    expect(body).toMatchObject([
      {
        key: [
          { dimension: "service.name", value: "__proto__" },
          { dimension: "operation", value: "<script>alert(1)</script>" },
          { dimension: "span.kind", value: "server" },
          { dimension: "peer", value: "" },
          { dimension: "service.version", value: "toString" },
          {},
          {},
        ],
        count: 1,
        errors: 0,
        customers: null,
      },
    ]);
    expect(Object.keys(Object.prototype)).toEqual([]);
  });

  test("an incident comes without its graph in the list, with it alone", async () => {
    expect((await check("/api/v1/incidents")).body).toEqual([
      expect.not.objectContaining({ graph: expect.anything() }),
    ]);
    expect((await check("/api/v1/incidents/incident-1")).body).toMatchObject({
      graph: { hops: [{ to: "shop" }] },
      anomalies: [{ service: "shop" }],
    });
    expect((await check("/api/v1/incidents?status=resolved")).body).toEqual([]);
  });

  test("metrics are Prometheus text with what the collector does", async () => {
    const { body } = await check("/metrics");
    for (const line of [
      'brunt_collector_batches_applied_total{fate="open"} 1',
      'brunt_collector_spans_total{fate="open"} 3',
      "brunt_collector_coverage_ratio 1",
      "brunt_collector_corrupt_records_total 0",
      "brunt_collector_closed_windows 1",
    ]) {
      expect(body).toContain(`\n${line}\n`);
    }
  });

  test.each([
    ["GET", "/nowhere", 404],
    ["GET", "/api/v1/incidents/", 404],
    ["DELETE", "/api/v1/incidents/incident-1", 404],
    ["POST", "/api/v1/incidents", 404],
    ["GET", "/api/v1/incidents/%ff", 404],
  ])("%s %s is refused in the one shape", async (method, path, status) => {
    const answer = await check(path, { method });
    expect(answer).toMatchObject({ status, body: { code: "NOT_FOUND" } });
    expect(Object.keys(answer.body as object)).toEqual(["code", "message"]);
  });

  test("a query's mistake is named", async () => {
    expect((await check("/api/v1/keys?limit=0")).body).toMatchObject({
      code: "QUERY_INVALID",
      message: expect.stringMatching(/limit must be >= 1/),
    });
    expect((await check("/api/v1/keys?limits=1")).body).toMatchObject({
      message: 'the query parameter "limits" is not known',
    });
  });
});

describe("the user interface", () => {
  test("is served with a strict policy", async () => {
    const page = await fetch(`${running.url}/`);
    expect(page.headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(page.headers.get("content-security-policy")).toMatch(/^default-src 'self';/);
    expect(page.headers.get("content-security-policy")).not.toContain("unsafe");
    expect(page.headers.get("x-content-type-options")).toBe("nosniff");
    const script = await fetch(`${running.url}/assets/app-1a2b.js`);
    expect(script.headers.get("cache-control")).toContain("immutable");
    const etag = page.headers.get("etag") as string;
    const again = await fetch(`${running.url}/`, { headers: { "if-none-match": etag } });
    expect(again.status).toBe(304);
  });

  const dots = ["..", "%2e%2e", "%252e%252e", "..%00", "%c0%ae%c0%ae", ".%2e", "..;"];
  const slashes = ["/", "%2f", "%5c", "\\", "//", "%252f"];
  const payloads = dots.flatMap((dot) =>
    slashes.flatMap((slash) =>
      ["log", "decider", `..${slash}etc${slash}passwd`, "ui/index.html"].map(
        (target) => `/assets${slash}${dot}${slash}${dot}${slash}${target}`,
      ),
    ),
  );

  test(`gives nothing for ${payloads.length} paths that lead elsewhere`, async () => {
    for (const path of [...payloads, "/assets/secret.key", "/assets", "/ui/index.html", "/."]) {
      // A raw socket: a client library would tidy the path up before sending it.
      const answer = await raw(`GET ${path} HTTP/1.1`);
      expect(answer.split("\r\n", 1)[0], path).toMatch(/^HTTP\/1\.1 (400|404) /);
    }
  });

  test("says how to build it when it is not there", async () => {
    const bare = await startCollector({ dataDir: temporaryDirectory() });
    const answer = await fetch(`${bare.url}/`);
    expect([answer.status, await answer.json()]).toEqual([
      404,
      { code: "NOT_FOUND", message: expect.stringContaining("npm run build") },
    ]);
    await bare.collector.shutdown();
  });
});

function raw(requestLine: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(running.collector.port, "127.0.0.1", () => {
      socket.end(`${requestLine}\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n`);
    });
    let answer = "";
    socket.on("data", (data) => {
      answer += String(data);
    });
    socket.on("end", () => resolve(answer));
    socket.on("error", reject);
  });
}

describe("configuration", () => {
  test("all problems are named at once", async () => {
    const { parseCollectorConfig } = await import("../../collector/config.ts");
    const parsed = parseCollectorConfig({ port: 70_000, hosts: "x", retentionHours: 0 });
    expect(parsed.ok ? [] : parsed.error.map((problem) => problem.split(" ")[0])).toEqual([
      "collector.port",
      "collector.retentionHours",
      "collector.hosts",
    ]);
  });

  test("a taken port stops the start and says so", async () => {
    const { createCollector } = await import("../../collector/collector.ts");
    const { defaultCollectorConfig } = await import("../../collector/config.ts");
    const config = {
      ...defaultCollectorConfig(),
      dataDir: temporaryDirectory(),
      port: running.collector.port,
    };
    const { silentLog } = await import("../../base/log.ts");
    const { clock, meter, decider } = running;
    const second = createCollector(config, {
      clock,
      meter,
      decider,
      log: silentLog,
      disk: nodeDisk,
    });
    await expect(second.start()).rejects.toMatchObject({ code: "ADDRESS_IN_USE" });
    await second.shutdown();
    expect((await check("/livez")).status).toBe(200);
    expect(bytesOf({}).length).toBeGreaterThan(0);
  });
});
