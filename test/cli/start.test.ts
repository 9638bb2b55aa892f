import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, test, vi } from "vitest";
import { createPrng } from "../../base/prng.ts";
import { renderBanner, urlOf } from "../../cli/banner.ts";
import { commands } from "../../cli/commands.ts";
import { ensureHashKey } from "../../cli/hash-key.ts";
import { runCli } from "../../cli/line/run-cli.ts";
import { startSelfTelemetry } from "../../cli/self-telemetry.ts";
import { startLiveBrunt } from "./live-brunt.ts";
import { createMemorySystem, createMemoryTerminal } from "./memory-system.ts";
import { callsAsJson } from "./recorded-otlp.ts";

const folder = mkdtempSync(join(tmpdir(), "brunt-start-test-"));
afterAll(() => rmSync(folder, { recursive: true }));

const program = { commands, version: "0" };

describe("start", () => {
  test("receives, serves and ends cleanly", async () => {
    const dataDir = join(folder, "data");
    const system = createMemorySystem({ BRUNT_DATA_DIR: dataDir });
    const line = ["start", "--grpc-port", "0", "--http-port", "0", "--port", "0"];
    const running = runCli(line, program, system);
    await vi.waitFor(() => expect(system.out()).toContain("stop with Ctrl-C"), 10_000);
    const [, endpoint] = /OTEL_EXPORTER_OTLP_ENDPOINT=(\S+)/.exec(system.out()) ?? [];
    const [, api] = /look +(\S+)/.exec(system.out()) ?? [];
    const accepted = await fetch(`${endpoint}/v1/traces`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(callsAsJson({ count: 1, stepMs: 1, offsetMs: Date.now() - fixtureMs })),
    });
    expect(accepted.status).toBe(200);
    expect((await fetch(`${api}/readyz`)).status).toBe(200);
    expect(system.out()).toContain(`brunt watch --url ${api}`);
    expect(statSync(join(dataDir, "hash-key")).mode & 0o777).toBe(0o600);
    system.interrupt();
    expect(await running).toBe(0);
    await expect(fetch(`${api}/livez`)).rejects.toThrow();
  });

  test("a taken port is one line and exit code 1", async () => {
    const holder = createServer();
    await new Promise<void>((resolve) => holder.listen(0, "127.0.0.1", resolve));
    const { port } = holder.address() as AddressInfo;
    const system = createMemorySystem({ BRUNT_DATA_DIR: join(folder, "taken") });
    const line = ["start", "--grpc-port", "0", "--http-port", "0", "--port", String(port)];
    expect(await runCli(line, program, system)).toBe(1);
    expect(system.err()).toMatch(new RegExp(`brunt start: .*${port}.* \\(ADDRESS_IN_USE\\)\n$`));
    holder.close();
  });
});

const fixtureMs = Date.parse("2024-05-01T12:00:00Z");

describe("the hash key", () => {
  const bytes = (seed: number) => {
    const prng = createPrng(seed);
    return (size: number) => Uint8Array.from({ length: size }, () => prng.integer(256));
  };

  test("is made once and kept", () => {
    const path = join(folder, "deep", "er", "hash-key");
    expect(ensureHashKey(path, bytes(1))).toBe(`file:${path}`);
    const first = readFileSync(path, "utf8");
    expect(first).toMatch(/^[0-9a-f]{32}\n$/);
    ensureHashKey(path, bytes(2));
    expect(readFileSync(path, "utf8")).toBe(first);
    expect(readdirSync(dirname(path))).toEqual(["hash-key"]);
  });

  test("that cannot be written is an operational error", () => {
    const file = join(folder, "deep", "er", "hash-key");
    expect(() => ensureHashKey(join(file, "below"), bytes(1))).toThrow("cannot write the hash key");
  });
});

describe("the banner", () => {
  test.each([
    [{ host: "127.0.0.1", port: 4319 }, "follow     brunt watch\n"],
    [{ host: "127.0.0.1", port: 9 }, "follow     brunt watch --url http://127.0.0.1:9\n"],
    [{ host: "::", port: 4319 }, "look       http://[::1]:4319\n"],
    [{ host: "0.0.0.0", httpPort: 4318 }, "send       http://127.0.0.1:4318  OTLP/HTTP\n"],
  ])("of %o", (addresses, line) => {
    const terminal = createMemoryTerminal();
    expect(renderBanner(addresses, { command: "brunt", terminal })).toContain(line);
  });

  test("an address of IPv6 is bracketed", () => {
    expect(urlOf("fe80::1", 1)).toBe("http://[fe80::1]:1");
  });
});

test("self-telemetry: one span for each batch and window, and our own metrics", async () => {
  const received: { path: string; body: Buffer }[] = [];
  const sink = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      received.push({ path: request.url ?? "", body: Buffer.concat(chunks) });
      response.writeHead(200, { "content-type": "application/x-protobuf" }).end();
    });
  });
  await new Promise<void>((resolve) => sink.listen(0, "127.0.0.1", resolve));
  const { port } = sink.address() as AddressInfo;
  const endpoint = `http://127.0.0.1:${port}`;
  const live = await startLiveBrunt(await startSelfTelemetry({ endpoint, version: "0" }));
  await live.window();
  await live.window();
  await live.shutdown();
  sink.close();
  const textAt = (path: string): string =>
    received
      .filter((request) => request.path === path)
      .map(({ body }) => body.toString("latin1"))
      .join("");
  const traces = textAt("/v1/traces");
  const count = (name: string): number => traces.split(name).length - 1;
  expect(count("decide window")).toBeGreaterThanOrEqual(2);
  expect(count("send batch")).toBeGreaterThanOrEqual(2);
  // Twenty calls went in; what is told of them does not grow with them.
  expect(count("decide window") + count("send batch")).toBeLessThan(40);
  expect(traces).toContain("brunt");
  expect(textAt("/v1/metrics")).toContain("brunt_agent_spans_accepted_total");
});
