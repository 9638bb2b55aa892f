/**
 * What applications send: OTLP requests of a few spans each, all of one window. The operation says
 * which window and which life of the agent a span was for, so that the oracle can count by key.
 */
import type { Prng } from "../../base/prng.ts";
import { ProtoWriter } from "../../wire/proto-writer.ts";
import { between, happens } from "./chance.ts";

export interface SimSpan {
  readonly failed: boolean;
  readonly customer: number;
}

export interface SimRequest {
  readonly bytes: Uint8Array;
  readonly spans: readonly SimSpan[];
  readonly operation: string;
  /** When its spans ended, by the clock of the agent's machine. */
  readonly endMs: number;
}

export const simWindowMs = 10_000;
const spansMax = 4;
export const customersMax = 12;
const errorShare = 0.2;
const lateShare = 0.06;
const lateMsMax = 200_000;
const serverKind = 2;
const statusError = 2;
const nsPerMs = 1_000_000n;

export interface RequestOrigin {
  readonly agent: string;
  /** Which life of the agent takes it. */
  readonly life: number;
  readonly nowMs: number;
}

export function createRequest(prng: Prng, { agent, life, nowMs }: RequestOrigin): SimRequest {
  const lateMs = happens(prng, lateShare) ? between(prng, 10_000, lateMsMax) : prng.integer(300);
  const endMs = Math.floor(nowMs - lateMs);
  const operation = operationOf(life, Math.floor(endMs / simWindowMs) * simWindowMs);
  const spans = Array.from({ length: 1 + prng.integer(spansMax) }, () => ({
    failed: happens(prng, errorShare),
    customer: prng.integer(customersMax),
  }));
  const writer = new ProtoWriter();
  const resourceSpans = writer.open(1);
  const resource = writer.open(1);
  writeAttribute(writer, 1, "service.name", agent);
  writer.close(resource);
  const scopeSpans = writer.open(2);
  for (const span of spans) writeSpan(writer, prng, { ...span, operation, endMs });
  writer.close(scopeSpans);
  writer.close(resourceSpans);
  return { bytes: writer.finish().slice(), spans, operation, endMs };
}

export function operationOf(life: number, windowStartMs: number): string {
  return `life ${lettersOf(life)} window ${lettersOf(windowStartMs / simWindowMs)}`;
}

/** Without digits: those of operation names are taken for identifiers and folded. */
function lettersOf(number: number): string {
  return [...String(number)].map((digit) => "bcdfghklmp"[Number(digit)]).join("");
}

function writeSpan(
  writer: ProtoWriter,
  prng: Prng,
  span: SimSpan & { readonly operation: string; readonly endMs: number },
): void {
  const mark = writer.open(2);
  writer.bytes(1, randomId(prng, 16));
  writer.bytes(2, randomId(prng, 8));
  writer.text(5, span.operation);
  writer.integer(6, serverKind);
  const durationMs = 1 + prng.integer(200);
  writer.fixed64(7, BigInt(span.endMs - durationMs) * nsPerMs);
  writer.fixed64(8, BigInt(span.endMs) * nsPerMs);
  writeAttribute(writer, 9, "customer.id", customerName(span.customer));
  if (span.failed) {
    const status = writer.open(15);
    writer.integer(3, statusError);
    writer.close(status);
  }
  writer.close(mark);
}

export function customerName(customer: number): string {
  return `customer-${customer}`;
}

function writeAttribute(writer: ProtoWriter, field: number, key: string, value: string): void {
  const attribute = writer.open(field);
  writer.text(1, key);
  const any = writer.open(2);
  writer.text(1, value);
  writer.close(any);
  writer.close(attribute);
}

function randomId(prng: Prng, size: number): Uint8Array {
  const id = new Uint8Array(size);
  for (let at = 0; at < size; at++) id[at] = 1 + prng.integer(255);
  return id;
}
