import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { createAgent } from "../../agent/agent.ts";
import { defaultAgentConfig } from "../../agent/config.ts";
import { createVirtualClock } from "../../base/clock.ts";
import { silentLog } from "../../base/log.ts";
import { createMeter } from "../../base/meter.ts";
import { nodeDisk } from "../../cli/node-disk.ts";
import { createRecordingLink, fixtureStartMs, seededBytes } from "./fixture.ts";

const folder = "../shared/data/otlp-vectors";

interface JsonSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly endTimeUnixNano: string;
}

function filesIn(path: string): string[] {
  if (!existsSync(path)) return [];
  return readdirSync(path).flatMap((name) => {
    const inner = `${path}/${name}`;
    return statSync(inner).isDirectory() ? filesIn(inner) : [inner];
  });
}

function textOf(path: string): string {
  const bytes = readFileSync(path);
  return (path.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString("utf8");
}

/** What OTLP says of a text: undefined when it is no request, else its spans by process. */
function processesOf(text: string): JsonSpan[][] | undefined {
  try {
    const json: unknown = JSON.parse(text);
    if (typeof json !== "object" || json === null || Array.isArray(json)) return undefined;
    const { resourceSpans = [] } = json as { resourceSpans?: readonly ResourceSpans[] };
    return resourceSpans.map(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans));
  } catch {
    return undefined;
  }
}

interface ResourceSpans {
  readonly scopeSpans: readonly { readonly spans: JsonSpan[] }[];
}

/** Sends the text to a real agent whose clock stands where the spans end. */
async function check(text: string, endMs: number) {
  const link = createRecordingLink();
  const clock = createVirtualClock(endMs);
  const agent = createAgent(
    { ...defaultAgentConfig(), grpcPort: 0, httpPort: 0 },
    {
      clock,
      link,
      disk: nodeDisk,
      log: silentLog,
      meter: createMeter(),
      randomBytes: seededBytes(5),
    },
  );
  await agent.start();
  const response = await fetch(`http://127.0.0.1:${agent.ports.http}/v1/traces`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: text,
  });
  const body: unknown = await response.json();
  await agent.shutdown();
  const batches = link.windows();
  const sum = (values: number[]): number => values.reduce((total, value) => total + value, 0);
  return {
    status: response.status,
    body,
    spans: sum(batches.map(({ counts }) => counts.spans)),
    calls: sum(
      batches.flatMap(({ cube }) => [...cube.edges.values()].map(({ cell }) => cell.count)),
    ),
  };
}

/** Calls between processes, counted the plain way. */
function callsIn(processes: readonly JsonSpan[][]): number {
  const processOf = new Map<string, number>();
  for (const [process, spans] of processes.entries()) {
    for (const span of spans) processOf.set(`${span.traceId}/${span.spanId}`, process);
  }
  let calls = 0;
  for (const [process, spans] of processes.entries()) {
    for (const span of spans) {
      const caller = processOf.get(`${span.traceId}/${span.parentSpanId ?? ""}`);
      if (caller !== undefined && caller !== process) calls++;
    }
  }
  return calls;
}

describe.skipIf(!existsSync(folder))("OTLP example files (skipped where they are absent)", () => {
  test.each(filesIn(folder).map((path) => [path.slice(folder.length + 1), path]))(
    "%s",
    async (_, path) => {
      const text = textOf(path);
      const processes = processesOf(text);
      const ends = (processes ?? []).flat().map((span) => Number(span.endTimeUnixNano) / 1e6);
      const endMs = Math.ceil(ends.reduce((max, end) => Math.max(max, end), 0)) || fixtureStartMs;
      const answer = await check(text, endMs);
      if (processes === undefined) {
        expect(answer).toMatchObject({ status: 400, body: { code: 3 }, spans: 0 });
        return;
      }
      expect(answer).toMatchObject({ status: 200, body: {}, spans: processes.flat().length });
      if (path.includes("nezha")) expect(answer.calls).toBe(callsIn(processes));
    },
  );

  test("the table holds requests with spans, without, and what is none", () => {
    const kinds = filesIn(folder).map((path) => processesOf(textOf(path))?.flat().length);
    expect(kinds.filter((count) => count === undefined).length).toBeGreaterThan(5);
    expect(kinds.filter((count) => count === 0).length).toBeGreaterThan(5);
    expect(kinds.filter((count) => (count ?? 0) > 0).length).toBeGreaterThan(5);
  });
});
