/**
 * What has arrived for one window since it was last sealed: the window's own content, or a delta of
 * it when the window had been sealed before. It keeps to the thresholds it was opened with, so that
 * every slow count of a batch was made by one revision.
 */

import { type Cube, createCube } from "../../sketch/cube.ts";
import { bucketIndexMax } from "../../sketch/histogram.ts";
import { addHll, createHll, type Hll } from "../../sketch/hll.ts";
import { builtInDimensions, type CompositeKey, type KeyId } from "../../sketch/key.ts";
import { type SipKey, sipHash24 } from "../../sketch/sip-hash.ts";
import {
  type Admission,
  createKeyAdmission,
  type KeyAdmission,
  type KeyLimits,
  tableKeysMax,
} from "../reduce/key-admission.ts";
import type { CellLog } from "./cell-log.ts";
import type { ThresholdTable } from "./threshold-table.ts";

export interface Segment {
  /** Unlike any other of this process. */
  readonly id: number;
  readonly windowStartMs: number;
  readonly cube: Cube;
  readonly admission: KeyAdmission;
  readonly thresholds: ThresholdTable;
  /** By key id: its cell's number in the cell log, once something was noted for it. */
  readonly cellNumbers: (number | undefined)[];
  /** By key id: the last bucket that is not slow; the last of all without a threshold. */
  readonly slowBuckets: number[];
  /** Whole keys seen, folded or not. */
  readonly demand: Hll;
  /** Services of which spans say that they run on the agent's host. */
  readonly localServices: Set<string>;
  /** Spans folded, by dimension. */
  readonly foldedSpans: Float64Array;
  spans: number;
  errors: number;
  late: number;
}

/** Calls between pairs of keys; a window of 2,000 keys rarely has more than twice as many. */
export const edgesMax = 16_384;

const serviceAt = builtInDimensions.indexOf("service.name");
const operationAt = builtInDimensions.indexOf("operation");
const kindAt = builtInDimensions.indexOf("span.kind");
const peerAt = builtInDimensions.indexOf("peer");

export function createSegment(options: {
  id: number;
  windowStartMs: number;
  dimensions: readonly string[];
  limits: KeyLimits;
  thresholds: ThresholdTable;
}): Segment {
  const keysMax = tableKeysMax(options.limits);
  const cube = createCube(options.windowStartMs, options.dimensions, { keysMax, edgesMax });
  return {
    id: options.id,
    windowStartMs: options.windowStartMs,
    cube,
    admission: createKeyAdmission(cube.keys, options.limits),
    thresholds: options.thresholds,
    cellNumbers: [],
    slowBuckets: [],
    demand: createHll(),
    localServices: new Set(),
    foldedSpans: new Float64Array(options.dimensions.length),
    spans: 0,
    errors: 0,
    late: 0,
  };
}

/** Files a key in the segment's table, folded where there is no room. */
export function admitKey(segment: Segment, key: CompositeKey): Admission {
  const admission = segment.admission.admit(key);
  if (segment.slowBuckets[admission.key] === undefined) {
    segment.slowBuckets[admission.key] = slowBucketOf(segment, admission.key);
  }
  return admission;
}

/** Counts spans whose key was folded; `folded` has a bit for each dimension. */
export function countFolded(segment: Segment, folded: number, spans: number): void {
  const { foldedSpans } = segment;
  for (let dimension = 0; folded >> dimension !== 0; dimension++) {
    if ((folded & (1 << dimension)) === 0) continue;
    foldedSpans[dimension] = (foldedSpans[dimension] as number) + spans;
  }
}

/** The number under which `log` takes what is added to the cell of a key. */
export function cellNumberOf(segment: Segment, id: KeyId, log: CellLog): number {
  const known = segment.cellNumbers[id];
  if (known !== undefined) return known;
  const number = log.enter(segment.cube.cells, segment.cube.cells.rowFor(id));
  segment.cellNumbers[id] = number;
  return number;
}

function slowBucketOf(segment: Segment, id: KeyId): number {
  const key = segment.cube.keys.keys[id] as CompositeKey;
  const found = segment.thresholds.slowBucketOf({
    service: key[serviceAt] as string,
    operation: key[operationAt] as string,
    kind: key[kindAt] as string,
    peer: key[peerAt] as string,
  });
  return found ?? bucketIndexMax;
}

const utf8 = new TextEncoder();

/** A key with the hash it is counted by, once that is known. */
export interface DemandedKey {
  readonly key: CompositeKey;
  /** Uint32Array [low, high]. */
  demandHash: Uint32Array | undefined;
}

/** Counts a whole key into the demand, before any folding. */
export function addDemand(segment: Segment, demanded: DemandedKey, sipKey: SipKey): void {
  let hash = demanded.demandHash;
  if (hash === undefined) {
    const bytes = utf8.encode(demanded.key.join("\u0000"));
    hash = new Uint32Array(2);
    sipHash24(sipKey, bytes, 0, bytes.length, hash);
    demanded.demandHash = hash;
  }
  addHll(segment.demand, hash[0] as number, hash[1] as number);
}
