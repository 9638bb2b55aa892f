/** Quantile sketches from npm beside ours, all behind one shape. */
import { createRequire } from "node:module";
import { build, encodeIntoCompressedBase64, initWebAssembly } from "hdr-histogram-js";
import { type ByteWriter, createByteWriter } from "../../base/bytes.ts";
import {
  addDigest,
  compressDigest,
  createDigest,
  mergeDigest,
  quantileDigest,
} from "../../sketch/digest.ts";
import { encodeDigest } from "../../sketch/digest-codec.ts";
import {
  addHistogram,
  createHistogram,
  mergeHistogram,
  quantileHistogram,
} from "../../sketch/histogram.ts";
import { encodeHistogram } from "../../sketch/histogram-codec.ts";
import { createRivalDigest } from "./hyperloglog.ts";

/** What it takes to be measured; `S` is the sketch itself. */
export interface QuantileSketch<S> {
  readonly name: string;
  create(): S;
  add(sketch: S, value: number): void;
  /** Ends a series of adds, where a sketch wants to be told. */
  settle(sketch: S): void;
  merge(target: S, source: S): void;
  quantile(sketch: S, q: number): number;
  /** Size in its most compact form. */
  bytes(sketch: S): number;
  /** Frees what the garbage collector does not. */
  destroy(sketch: S): void;
}

function nothing(): void {}

export const ourHistogram: QuantileSketch<ReturnType<typeof createHistogram>> = {
  name: "histogram",
  create: createHistogram,
  add: addHistogram,
  settle: nothing,
  merge: mergeHistogram,
  quantile: quantileHistogram,
  bytes: (sketch) => sizeOf((writer) => encodeHistogram(writer, sketch)),
  destroy: nothing,
};

export const ourDigest: QuantileSketch<ReturnType<typeof createDigest>> = {
  name: "digest",
  create: createDigest,
  add: (sketch, value) => void addDigest(sketch, value),
  settle: compressDigest,
  merge: mergeDigest,
  quantile: quantileDigest,
  bytes: (sketch) => sizeOf((writer) => encodeDigest(writer, sketch)),
  destroy: nothing,
};

const tdigest: QuantileSketch<ReturnType<typeof createRivalDigest>> = {
  name: "tdigest",
  create: createRivalDigest,
  add: (sketch, value) => sketch.push(value),
  settle: (sketch) => sketch.compress(),
  merge: (target, source) => target.push_centroid(source.toArray()),
  quantile: (sketch, q) => sketch.percentile(q),
  bytes: (sketch) => JSON.stringify(sketch.toArray()).length,
  destroy: nothing,
};

interface DatadogSketch {
  accept(value: number): void;
  merge(other: DatadogSketch): void;
  getValueAtQuantile(q: number): number;
  toProto(): Uint8Array;
}

const require = createRequire(import.meta.url);
const { DDSketch } = require("@datadog/sketches-js") as {
  DDSketch: new (options: { relativeAccuracy: number }) => DatadogSketch;
};

const datadog: QuantileSketch<DatadogSketch> = {
  name: "@datadog/sketches-js",
  create: () => new DDSketch({ relativeAccuracy: 0.01 }),
  add: (sketch, value) => sketch.accept(value),
  settle: nothing,
  merge: (target, source) => target.merge(source),
  quantile: (sketch, q) => sketch.getValueAtQuantile(q),
  bytes: (sketch) => sketch.toProto().length,
  destroy: nothing,
};

type HdrHistogram = ReturnType<typeof build>;

await initWebAssembly();

function hdr(useWebAssembly: boolean): QuantileSketch<HdrHistogram> {
  return {
    name: useWebAssembly ? "hdr-histogram-js wasm" : "hdr-histogram-js",
    create: () =>
      build({
        bitBucketSize: 32,
        autoResize: true,
        lowestDiscernibleValue: 1,
        highestTrackableValue: 2 ** 36,
        numberOfSignificantValueDigits: 2,
        useWebAssembly,
      }),
    add: (sketch, value) => sketch.recordValue(value),
    settle: nothing,
    merge: (target, source) => target.add(source),
    quantile: (sketch, q) => sketch.getValueAtPercentile(q * 100),
    bytes: (sketch) => Buffer.from(encodeIntoCompressedBase64(sketch), "base64").length,
    destroy: (sketch) => sketch.destroy(),
  };
}

/** Runs `measure` with each rival. */
export function overRivals<T>(
  measure: <S>(sketch: QuantileSketch<S>) => T,
): { readonly name: string; readonly result: T }[] {
  return [
    { name: tdigest.name, result: measure(tdigest) },
    { name: datadog.name, result: measure(datadog) },
    { name: hdr(false).name, result: measure(hdr(false)) },
    { name: hdr(true).name, result: measure(hdr(true)) },
  ];
}

export function sizeOf(write: (writer: ByteWriter) => void): number {
  const writer = createByteWriter();
  write(writer);
  return writer.finish().length;
}
