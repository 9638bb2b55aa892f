/** The npm packages that t-digest and HyperLogLog are measured against; neither ships types. */
import { createRequire } from "node:module";
import { murmur128 } from "./murmur-128.ts";

export interface RivalDigest {
  push(value: number): void;
  push_centroid(centroids: readonly unknown[]): void;
  compress(): void;
  percentile(q: number): number;
  toArray(): readonly unknown[];
}

export interface RivalHll {
  add(hash: readonly number[]): void;
  count(): number;
  merge(data: { n: number; buckets: Uint8Array }): void;
  output(): { n: number; buckets: Uint8Array };
}

type HllFactory = ((precision: number) => RivalHll) & { hash(text: string): readonly number[] };

const require = createRequire(import.meta.url);

const { TDigest } = require("tdigest") as { TDigest: new () => RivalDigest };

export function createRivalDigest(): RivalDigest {
  return new TDigest();
}

export const hyperloglog = loadHyperloglog();

function loadHyperloglog(): HllFactory {
  process.noDeprecation = true;
  const path = require.resolve("murmurhash3");
  const exports = { murmur128Sync: murmur128 };
  require.cache[path] = { ...module(path), exports } as NodeJS.Module;
  return require("hyperloglog") as HllFactory;
}

function module(path: string): Partial<NodeJS.Module> {
  return { id: path, filename: path, loaded: true, children: [], paths: [] };
}
