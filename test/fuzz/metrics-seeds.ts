/** Valid OTLP metrics requests to start from, as trees: every kind of point, packed and not. */
import { createPrng, type Prng } from "../../base/prng.ts";
import {
  bytes,
  encodeVarint,
  type Field,
  fixed64,
  joined,
  message,
  raw,
  text,
  varint,
} from "../wire/proto-tree.ts";
import { anyValueOf, fuzzStartMs } from "./seeds.ts";

const startNs = BigInt(fuzzStartMs) * 1_000_000n;
const names = ["queue.length", "http.server.request.duration", "", "größe", "m".repeat(300)];
const attributeNames = ["http.route", "state", "direction", "cpu.mode"];

export function makeMetricSeeds(seed: number, count: number): Field[][] {
  const prng = createPrng(seed);
  return Array.from({ length: count }, () => [resourceMetricsOf(prng)]);
}

function resourceMetricsOf(prng: Prng): Field {
  const resource = message(1, attributeOf(prng, 1, "service.name"));
  const metrics = Array.from({ length: 1 + prng.integer(3) }, () => metricOf(prng));
  const scopeMetrics = message(2, message(1, text(1, "scope")), ...metrics);
  // Its resource may follow the metrics.
  return message(
    1,
    ...(prng.integer(4) === 0 ? [scopeMetrics, resource] : [resource, scopeMetrics]),
  );
}

function metricOf(prng: Prng): Field {
  const points = (pointOf: (prng: Prng) => Field[]): Field[] =>
    Array.from({ length: 1 + prng.integer(3) }, () => message(1, ...pointOf(prng)));
  const temporality = varint(2, prng.integer(3));
  const data = prng.pick([
    () => message(5, ...points(numberOf)),
    () => message(7, ...points(numberOf), temporality, varint(3, prng.integer(2))),
    () => message(9, ...points(explicitOf), temporality),
    () => message(10, ...points(exponentialOf), temporality),
    () => message(11, ...points(summaryOf)),
  ])();
  return message(2, text(1, prng.pick(names)), text(2, "why"), text(3, "By"), data);
}

function timesOf(prng: Prng): Field[] {
  const from = startNs + BigInt(prng.integer(4_000_000_000));
  const start = prng.integer(4) === 0 ? [] : [fixed64(2, from)];
  return [...start, fixed64(3, from + BigInt(prng.integer(2 ** 31)))];
}

function numberOf(prng: Prng): Field[] {
  const number = prng.integer(1_000_000);
  const value = prng.integer(2) === 0 ? double(4, number / 7) : fixed64(6, BigInt(number));
  return [
    ...timesOf(prng),
    value,
    attributeOf(prng, 7),
    ...(prng.integer(5) === 0 ? [varint(8, 1)] : []),
  ];
}

function explicitOf(prng: Prng): Field[] {
  const counts = Array.from({ length: 4 }, () => BigInt(prng.integer(50)));
  const bounds = [0.5, 10, 250];
  const isPacked = prng.integer(2) === 0;
  return [
    ...timesOf(prng),
    fixed64(4, 9n),
    ...(isPacked
      ? [bytes(6, packedFixed(counts)), bytes(7, packedDoubles(bounds))]
      : [...counts.map((count) => fixed64(6, count)), ...bounds.map((bound) => double(7, bound))]),
    ...(prng.integer(2) === 0 ? [double(11, 0.1), double(12, 900)] : []),
    attributeOf(prng, 9),
  ];
}

function exponentialOf(prng: Prng): Field[] {
  const counts = Array.from({ length: prng.integer(6) }, () => BigInt(prng.integer(300)));
  const buckets =
    prng.integer(2) === 0
      ? [bytes(2, joined(counts.map((count) => encodeVarint(count))))]
      : counts.map((count) => varint(2, count));
  return [
    ...timesOf(prng),
    attributeOf(prng, 1),
    fixed64(4, 9n),
    varint(6, prng.integer(12)),
    fixed64(7, BigInt(prng.integer(5))),
    message(prng.pick([8, 9]), varint(1, prng.integer(40)), ...buckets),
  ];
}

function summaryOf(prng: Prng): Field[] {
  const quantiles = [0.5, 0.9, 1].map((quantile) =>
    message(6, double(1, quantile), double(2, quantile * prng.integer(100))),
  );
  return [...timesOf(prng), fixed64(4, 9n), double(5, 12), ...quantiles, attributeOf(prng, 7)];
}

function attributeOf(prng: Prng, field: number, name = prng.pick(attributeNames)): Field {
  return message(field, text(1, name), message(2, anyValueOf(prng, 0)));
}

function double(field: number, value: number): Field {
  return raw(field, 1, [...packedDoubles([value])]);
}

function packedDoubles(values: readonly number[]): Uint8Array {
  return new Uint8Array(Float64Array.from(values).buffer);
}

function packedFixed(values: readonly bigint[]): Uint8Array {
  return new Uint8Array(BigUint64Array.from(values).buffer);
}
