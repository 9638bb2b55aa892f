/** What the agent's suites share: spans as short literals, and an agent on a virtual clock. */
import { type Agent, createAgent } from "../../agent/agent.ts";
import { type AgentConfig, defaultAgentConfig } from "../../agent/config.ts";
import { type Clock, createVirtualClock, type VirtualClock } from "../../base/clock.ts";
import { silentLog } from "../../base/log.ts";
import { createMeter, type Meter } from "../../base/meter.ts";
import { createPrng } from "../../base/prng.ts";
import { createAcknowledger } from "../../bench/acknowledge.ts";
import { nodeDisk } from "../../cli/node-disk.ts";
import type { Cell, EdgeCell } from "../../sketch/cell.ts";
import { createDigest, type Digest, mergeDigest } from "../../sketch/digest.ts";
import { keyOf } from "../../sketch/key.ts";
import type { CollectorLink, Thresholds } from "../../wire/agent-link.ts";
import { transcodeOtlpJson } from "../../wire/otlp-json.ts";
import { decodeSketchBatch, type SketchBatch, type WindowBatch } from "../../wire/sketch-batch.ts";

export type AttributeLiteral = string | number | boolean;

export interface SpanLiteral {
  readonly service?: string;
  readonly resource?: Readonly<Record<string, AttributeLiteral>>;
  readonly name?: string;
  readonly kind?: "unspecified" | "internal" | "server" | "client" | "producer" | "consumer";
  readonly trace?: number;
  readonly id: number;
  readonly parent?: number;
  /** Milliseconds after `startMs` of the fixture. */
  readonly from?: number;
  readonly to?: number;
  readonly status?: "unset" | "ok" | "error";
  readonly attributes?: Readonly<Record<string, AttributeLiteral>>;
  readonly links?: readonly { readonly trace?: number; readonly id: number }[];
  readonly flags?: number;
  readonly traceState?: string;
}

/** A Thursday; the start of a window. */
export const fixtureStartMs = 1_700_000_000_000;

const kinds = ["unspecified", "internal", "server", "client", "producer", "consumer"];
const statuses = ["unset", "ok", "error"];

/** One ExportTraceServiceRequest with these spans, a ResourceSpans for each. */
export function requestOf(spans: readonly SpanLiteral[]): Uint8Array {
  const json = { resourceSpans: spans.map(resourceSpansOf) };
  const bytes = transcodeOtlpJson(new TextEncoder().encode(JSON.stringify(json)));
  if (!bytes.ok) throw new Error(bytes.error.message);
  return bytes.value;
}

export function jsonOf(spans: readonly SpanLiteral[]): string {
  return JSON.stringify({ resourceSpans: spans.map(resourceSpansOf) });
}

function resourceSpansOf(span: SpanLiteral) {
  const resource = { "service.name": span.service ?? "shop", ...span.resource };
  return {
    resource: { attributes: attributesOf(resource) },
    scopeSpans: [{ spans: [spanOf(span)] }],
  };
}

function spanOf(span: SpanLiteral) {
  return {
    traceId: traceId(span.trace ?? 1),
    spanId: spanId(span.id),
    ...(span.parent === undefined ? {} : { parentSpanId: spanId(span.parent) }),
    name: span.name ?? "work",
    kind: kinds.indexOf(span.kind ?? "internal"),
    startTimeUnixNano: nanoseconds(span.from ?? 0),
    endTimeUnixNano: nanoseconds(span.to ?? 10),
    attributes: attributesOf(span.attributes ?? {}),
    links: (span.links ?? []).map((link) => ({
      traceId: traceId(link.trace ?? 1),
      spanId: spanId(link.id),
    })),
    status: { code: statuses.indexOf(span.status ?? "unset") },
    flags: span.flags ?? 0,
    traceState: span.traceState ?? "",
  };
}

export function attributesOf(values: Readonly<Record<string, AttributeLiteral>>) {
  return Object.entries(values).map(([key, value]) => ({ key, value: anyValue(value) }));
}

function anyValue(value: AttributeLiteral) {
  if (typeof value === "string") return { stringValue: value };
  if (typeof value === "boolean") return { boolValue: value };
  return Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value };
}

function nanoseconds(offsetMs: number): string {
  return String(BigInt(fixtureStartMs) * 1_000_000n + BigInt(Math.round(offsetMs * 1e6)));
}

export function traceId(number: number): string {
  const low = Math.imul(number, 0x9e3779b1) >>> 0;
  return `${low.toString(16).padStart(24, "0")}${number.toString(16).padStart(8, "0")}`;
}

export function spanId(number: number): string {
  return number.toString(16).padStart(16, "0");
}

const stepMs = 1_000;

/** A collector that keeps what it is sent, and acknowledges it. */
export interface RecordingLink extends CollectorLink {
  readonly batches: SketchBatch[];
  readonly bytes: Uint8Array[];
  current: Thresholds;
  windows(): WindowBatch[];
}

/** Without a clock it names a time too far off to correct anything by. */
export function createRecordingLink(clock?: Clock): RecordingLink {
  const batches: SketchBatch[] = [];
  const bytes: Uint8Array[] = [];
  const acknowledge = createAcknowledger();
  const link: RecordingLink = {
    batches,
    bytes,
    current: { revision: 0, items: [] },
    windows: () => batches.filter((batch) => batch.kind === "window"),
    async send(sent) {
      const decoded = decodeSketchBatch(sent);
      if (!decoded.ok) throw new Error(decoded.error.message);
      batches.push(decoded.value);
      bytes.push(sent);
      const ack = acknowledge(sent, clock?.nowMs() ?? 0);
      return { ...ack, thresholdsRevision: link.current.revision };
    },
    thresholds: async () => link.current,
  };
  return link;
}

export interface TestAgent {
  readonly agent: Agent;
  readonly clock: VirtualClock;
  readonly meter: Meter;
  readonly link: RecordingLink;
  ingest(...spans: SpanLiteral[]): void;
  /** Moves time to `offsetMs` after the fixture's start and lets batches out. */
  moveTo(offsetMs: number): Promise<void>;
  windows(): WindowBatch[];
}

/** An agent without ports whose clock starts at the fixture's start. */
export async function startTestAgent(config: Partial<AgentConfig> = {}): Promise<TestAgent> {
  const clock = createVirtualClock(fixtureStartMs);
  const meter = createMeter();
  const link = createRecordingLink(clock);
  const agent = createAgent(
    { ...defaultAgentConfig(), listen: false, ...config },
    { clock, meter, link, disk: nodeDisk, log: silentLog, randomBytes: seededBytes(7) },
  );
  await agent.start();
  return {
    agent,
    clock,
    meter,
    link,
    ingest(...spans) {
      const result = agent.ingest(requestOf(spans));
      if (!result.ok) throw new Error(result.error.message);
    },
    async moveTo(offsetMs) {
      await advanceTo(clock, fixtureStartMs + offsetMs);
      await agent.flush();
    },
    windows: link.windows,
  };
}

/** In steps, so that answers come before what waits for them gives up. */
export async function advanceTo(clock: VirtualClock, untilMs: number): Promise<void> {
  while (clock.nowMs() < untilMs) {
    clock.advance(Math.min(stepMs, untilMs - clock.nowMs()));
    await new Promise(setImmediate);
  }
}

export function seededBytes(seed: number): (size: number) => Uint8Array {
  const prng = createPrng(seed);
  return (size) => Uint8Array.from({ length: size }, () => prng.integer(256));
}

/** The cells of a batch by `service operation`. */
export function cellsOf(batch: WindowBatch): Map<string, Cell> {
  const cells = new Map<string, Cell>();
  for (const [id, cell] of batch.cube.cells) cells.set(nameOf(batch, id), cell);
  return cells;
}

/** The values of all batches by `service metric`. */
export function valuesOf(batches: readonly WindowBatch[]): Map<string, Digest> {
  const values = new Map<string, Digest>();
  for (const batch of batches) {
    for (const [id, cell] of batch.cube.cells) {
      if (cell.values === undefined) continue;
      const sum = values.get(nameOf(batch, id)) ?? createDigest();
      values.set(nameOf(batch, id), sum);
      mergeDigest(sum, cell.values);
    }
  }
  return values;
}

/** The edges of a batch by `service operation > service operation`. */
export function edgesOf(batch: WindowBatch): Map<string, EdgeCell> {
  const edges = new Map<string, EdgeCell>();
  for (const { caller, callee, cell } of batch.cube.edges.values()) {
    edges.set(`${nameOf(batch, caller)} > ${nameOf(batch, callee)}`, cell);
  }
  return edges;
}

function nameOf(batch: WindowBatch, id: number): string {
  const [service, operation] = keyOf(batch.cube.keys, id);
  return `${service} ${operation}`;
}
