/** Seeded streams and small builders that the sketch suites share. */
import {
  type ByteReader,
  type ByteWriter,
  createByteReader,
  createByteWriter,
} from "../../base/bytes.ts";
import type { Prng } from "../../base/prng.ts";
import { adjustedUnit, type Cell, createCell, createEdgeCell } from "../../sketch/cell.ts";
import { addCell, addEdge, type Cube, createCube } from "../../sketch/cube.ts";
import { addDigest, createDigest } from "../../sketch/digest.ts";
import { addHistogram } from "../../sketch/histogram.ts";
import { addHll, type Hll } from "../../sketch/hll.ts";
import { builtInDimensions, intern } from "../../sketch/key.ts";
import { createSipKey, sipHash24 } from "../../sketch/sip-hash.ts";

const key = createSipKey(Uint8Array.from({ length: 16 }, (_, index) => index * 17));
const out = new Uint32Array(2);
const utf8 = new TextEncoder();

/** Counts a customer by name, hashed as an agent does. */
export function addCustomer(hll: Hll, name: string): void {
  const bytes = utf8.encode(name);
  sipHash24(key, bytes, 0, bytes.length, out);
  addHll(hll, out[0] as number, out[1] as number);
}

export function addCustomers(hll: Hll, from: number, to: number): void {
  for (let id = from; id < to; id++) addCustomer(hll, `customer-${id}`);
}

export function normal(prng: Prng): number {
  return Math.sqrt(-2 * Math.log(1 - prng.next())) * Math.cos(2 * Math.PI * prng.next());
}

/** Durations in nanoseconds that are hard on a sketch. */
export const durationStreams: Readonly<Record<string, (prng: Prng) => number>> = {
  "log-normal": (prng) => Math.round(20e6 * Math.exp(1.2 * normal(prng))),
  Pareto: (prng) => Math.round(1e6 * (1 - prng.next()) ** (-1 / 1.5)),
  bimodal: (prng) =>
    Math.round(prng.next() < 0.7 ? 2e6 + 1e5 * normal(prng) : 9e8 + 2e7 * normal(prng)),
  "a few nanoseconds": (prng) => prng.integer(40),
};

export interface SpanSample {
  readonly durationNs: number;
  readonly failed: boolean;
  readonly slow: boolean;
  readonly customer: number;
}

export function addSpan(cell: Cell, span: SpanSample): void {
  cell.count++;
  cell.adjusted += adjustedUnit;
  addHistogram(cell.durationNs, span.durationNs);
  if (span.durationNs % 3 > 0) addHistogram(cell.selfNs, Math.floor(span.durationNs / 2));
  addCustomer(cell.customers, `customer-${span.customer}`);
  if (span.failed) {
    cell.errors++;
    if (span.customer % 2 === 0) cell.originErrors++;
    addCustomer(cell.customersFailed, `customer-${span.customer}`);
  }
  if (span.slow) {
    cell.slow++;
    if (span.customer % 3 === 0) cell.originSlow++;
    addCustomer(cell.customersSlow, `customer-${span.customer}`);
  }
}

export const limits = { keysMax: 1000, edgesMax: 1000 };

export function keyNamed(service: string, operation: string): string[] {
  return [service, operation, "server", "", "1.0", "prod", "eu"];
}

/** A cube with every form that a sketch has on the wire. */
export function sampleCube(prng: Prng): Cube {
  const cube = createCube(1_700_000_000_000, builtInDimensions, limits);
  const shop = intern(cube.keys, keyNamed("shop", "GET /cart"));
  const hostile = intern(cube.keys, keyNamed("__proto__", "constructor"));
  const pay = intern(cube.keys, keyNamed("payments", "POST /charge"));
  for (const [id, spans] of [
    [shop, 30],
    [hostile, 3],
    [pay, 2000],
  ] as const) {
    const cell = createCell();
    for (let at = 0; at < spans; at++) {
      const chance = prng.next();
      addSpan(cell, {
        durationNs: prng.integer(2e9),
        failed: chance < 0.1,
        slow: chance > 0.9,
        customer: at,
      });
    }
    addCell(cube, id, cell);
  }
  const values = createDigest();
  for (let at = -300; at <= 300; at++) addDigest(values, at / 8);
  addCell(cube, shop, { ...createCell(), values });
  const edge = { ...createEdgeCell(), count: 2, errors: 1 };
  addHistogram(edge.gapNs, 0);
  addHistogram(edge.gapNs, 1_500_000);
  addEdge(cube, { caller: shop, callee: pay }, edge);
  return cube;
}

export function encoded<T>(
  encode: (writer: ByteWriter, value: T) => unknown,
  value: T,
): Uint8Array {
  const writer = createByteWriter();
  encode(writer, value);
  return writer.finish();
}

export function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

/** What the reader says is wrong after a decoder has run. */
export function problemOf(
  bytes: Uint8Array,
  decode: (reader: ByteReader) => unknown,
): string | undefined {
  const reader = createByteReader(bytes);
  decode(reader);
  return reader.problem;
}
