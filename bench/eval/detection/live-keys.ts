/**
 * Windows of 100,000 live keys as a few agents would ship them: 50 services of 20 operations and
 * 100 combinations of version, region and card each, one to eight spans a key, one in 500 failed.
 */
import { createPrng, type Prng } from "../../../base/prng.ts";
import { adjustedUnit } from "../../../sketch/cell.ts";
import { type Cube, createCube } from "../../../sketch/cube.ts";
import { failedMark } from "../../../sketch/customer-column.ts";
import { builtInDimensions, intern } from "../../../sketch/key.ts";
import { encodeSketchBatch } from "../../../wire/sketch-batch.ts";

export const agents = 4;
export const windowMs = 10_000;
export const startMs = 1_800_000_000_000;

const services = 50;
const operations = 20;
/** The last operations of a service are calls to others. */
const calls = 4;
const combinations = 100;
const spansMax = 8;
const errorRate = 0.002;
const customers = 5_000;
const dimensions = [...builtInDimensions, "card"];

export const liveKeys = services * operations * combinations;

export interface LiveTraffic {
  /** The window's batches, one an agent, sealed. */
  window(index: number, fails: IsFailing): Uint8Array[];
}

/** Whether half of a key's spans fail. */
export type IsFailing = (service: number, combination: number) => boolean;

export function createLiveTraffic(seed: number): LiveTraffic {
  const prng = createPrng(seed);
  const streamSpans = new Array<number>(agents).fill(0);
  return {
    window: (index, fails) =>
      Array.from({ length: agents }, (_, agent) => {
        const cube = createCube(startMs + index * windowMs, dimensions, {
          keysMax: liveKeys,
          edgesMax: 1,
        });
        const { spans, errors } = fill(cube, prng, { agent, fails });
        streamSpans[agent] = (streamSpans[agent] as number) + spans;
        return encodeSketchBatch({
          kind: "window",
          streamId: (agent + 1).toString(16).padStart(32, "0"),
          seq: index + 1,
          streamSpans: streamSpans[agent] as number,
          agent: `agent-${agent}`,
          watermarkMs: startMs + (index + 1) * windowMs,
          hashKeyId: "key",
          ...{ thresholdsRevision: 0, windowLengthMs: windowMs, cube },
          ...{ halfEdges: [], halfEdgeShift: 0, folded: [], keyDemand: 0 },
          counts: { spans, errors, rejected: 0, late: 0, unpaired: 0 },
        });
      }),
  };
}

function fill(
  cube: Cube,
  prng: Prng,
  { agent, fails }: { readonly agent: number; readonly fails: IsFailing },
): { spans: number; errors: number } {
  let spans = 0;
  let errors = 0;
  for (let service = agent; service < services; service += agents) {
    for (let operation = 0; operation < operations; operation++) {
      for (let combination = 0; combination < combinations; combination++) {
        const rate = fails(service, combination) ? 0.5 : errorRate;
        const key = intern(cube.keys, keyOf(service, operation, combination));
        const row = cube.cells.rowFor(key);
        const count = 1 + prng.integer(spansMax);
        for (let span = 0; span < count; span++) {
          const marks = prng.next() < rate ? failedMark : 0;
          const ns = 2_000_000 + prng.integer(20_000_000);
          cube.cells.addSpan(row, marks, ns, adjustedUnit);
          cube.cells.addSelfTime(row, marks, ns);
          const customer = prng.integer(customers) + 1;
          const [low, high] = [customer * 0x9e3779b1, customer * 0x85ebca6b];
          cube.cells.customers.add(row, marks, low >>> 0, high >>> 0);
          if (marks !== 0) errors += 1;
        }
        spans += count;
      }
    }
  }
  return { spans, errors };
}

function keyOf(service: number, operation: number, combination: number): string[] {
  const isCall = operation >= operations - calls;
  return [
    `service-${service}`,
    isCall ? "GET" : `GET /path/${operation}`,
    isCall ? "client" : "server",
    isCall ? `service-${(service + operation) % services}` : "",
    `1.${combination % 2}`,
    "production",
    `region-${Math.floor(combination / 2) % 5}`,
    `card-${Math.floor(combination / 10)}`,
  ];
}
