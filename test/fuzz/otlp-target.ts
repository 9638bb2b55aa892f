/**
 * OTLP in protobuf: the product's reader must say what the slow reference reader says, and an agent
 * must count each span that the reference finds exactly once, as taken or as refused.
 */
import { type Agent, createAgent } from "../../agent/agent.ts";
import { defaultAgentConfig } from "../../agent/config.ts";
import { createVirtualClock, type VirtualClock } from "../../base/clock.ts";
import { silentLog } from "../../base/log.ts";
import { createMeter } from "../../base/meter.ts";
import { createPrng } from "../../base/prng.ts";
import { createAcknowledger } from "../../bench/acknowledge.ts";
import { nodeDisk } from "../../cli/node-disk.ts";
import { decodeSketchBatch } from "../../wire/sketch-batch.ts";
import { readReference, type SpanRecord } from "../wire/reference-reader.ts";
import { readProduct } from "../wire/span-records.ts";
import { wantedNames } from "../wire/wanted-names.ts";
import { fuzzStartMs } from "./seeds.ts";

/** What was wrong with one input; undefined when nothing was. */
export type Fault = string | undefined;

export interface Verdicts {
  accepted: number;
  refused: number;
}

/** Everything of a request's spans, in numbers that add up. */
interface Totals {
  readonly spans: number;
  readonly rejected: number;
  readonly failed: number;
  readonly kinds: number;
  readonly flags: number;
  readonly links: number;
  readonly durationNs: bigint;
  readonly text: string;
}

export class OtlpTarget {
  readonly verdicts: Verdicts = { accepted: 0, refused: 0 };
  #agent: FuzzAgent = new FuzzAgent();
  #inputs = 0;

  check(input: Uint8Array): Fault {
    const expected = referenceOf(input);
    const read = readProduct(input, wantedNames);
    const seen = typeof read === "string" ? undefined : totalsOf(read.spans, read.rejected);
    const wanted = expected === undefined ? undefined : totalsOf(expected.spans, expected.rejected);
    if (seen === undefined) this.verdicts.refused++;
    else this.verdicts.accepted++;
    return differenceOf(seen, wanted) ?? this.#agent.check(input, expected);
  }

  /** Now and then: what the agent shipped must be what it took. */
  async settle(inputs: number): Promise<Fault> {
    this.#inputs += inputs;
    const fault = await this.#agent.settle();
    this.#agent = new FuzzAgent();
    return fault;
  }
}

function referenceOf(input: Uint8Array): ReturnType<typeof readReference> | undefined {
  try {
    return readReference(input, wantedNames);
  } catch {
    return undefined;
  }
}

function totalsOf(spans: readonly SpanRecord[], rejected: number): Totals {
  let text = "";
  const totals = { failed: 0, kinds: 0, flags: 0, links: 0, durationNs: 0n };
  for (const span of spans) {
    totals.failed += span.statusCode === 2 ? 1 : 0;
    totals.kinds += span.kind;
    totals.flags += span.flags;
    totals.links += span.links.length;
    totals.durationNs += span.endNs - span.startNs;
    text += span.traceId + span.spanId + span.parentSpanId + span.name + span.traceState;
    text += JSON.stringify([span.attributes, span.resource, span.links, span.resourceIndex]);
  }
  return { spans: spans.length, rejected, ...totals, text };
}

function differenceOf(seen: Totals | undefined, wanted: Totals | undefined): Fault {
  if (seen === undefined || wanted === undefined) {
    if (seen === wanted) return undefined;
    return seen === undefined ? "refused, the reference takes it" : "taken, the reference does not";
  }
  for (const name of Object.keys(wanted) as (keyof Totals)[]) {
    if (seen[name] !== wanted[name]) return `${name} is ${seen[name]}, not ${wanted[name]}`;
  }
  return undefined;
}

const pastMs = 48 * 3_600_000;
const futureMs = 30_000;
const nowMs = fuzzStartMs + 5_000;
const sealedMs = 30_000;

/** An agent whose clock stands still while it takes requests. */
class FuzzAgent {
  readonly #clock: VirtualClock = createVirtualClock(nowMs);
  readonly #batches: Uint8Array[] = [];
  readonly #acknowledge = createAcknowledger();
  readonly #agent: Agent;
  #accepted = 0;
  #rejected = 0;

  constructor() {
    const prng = createPrng(5);
    this.#agent = createAgent(
      { ...defaultAgentConfig(), listen: false, retrySeconds: 0 },
      {
        clock: this.#clock,
        log: silentLog,
        meter: createMeter(),
        disk: nodeDisk,
        randomBytes: (size) => Uint8Array.from({ length: size }, () => prng.integer(256)),
        link: {
          send: async (batch) => {
            this.#batches.push(batch);
            return this.#acknowledge(batch, this.#clock.nowMs());
          },
          thresholds: async () => ({ revision: 0, items: [] }),
        },
      },
    );
    // Without ports there is nothing to wait for.
    void this.#agent.start();
  }

  check(input: Uint8Array, expected: ReturnType<typeof readReference> | undefined): Fault {
    const result = this.#agent.ingest(input);
    if (!result.ok) return expected === undefined ? undefined : "the agent refuses a good request";
    if (expected === undefined) return "the agent takes a bad request";
    const { accepted, rejected, message } = result.value;
    this.#accepted += accepted;
    this.#rejected += rejected;
    const timely = expected.spans.filter(({ endNs }) => isTimely(endNs)).length;
    const all = expected.spans.length + expected.rejected;
    if (accepted + rejected !== all) return `the agent counts ${accepted} + ${rejected} of ${all}`;
    const isCrowded = message.includes("more old windows");
    if (accepted !== timely && !isCrowded) return `the agent takes ${accepted}, not ${timely}`;
    return undefined;
  }

  /** Seals everything and adds up what went out. */
  async settle(): Promise<Fault> {
    this.#clock.advance(sealedMs);
    await this.#agent.flush();
    await this.#agent.shutdown();
    const sums = { batches: 0, cells: 0, durations: 0, rejected: 0 };
    for (const bytes of this.#batches) {
      const batch = decodeSketchBatch(bytes);
      if (!batch.ok) return `the agent ships what cannot be read: ${batch.error.message}`;
      if (batch.value.kind !== "window") continue;
      sums.batches += batch.value.counts.spans;
      sums.rejected += batch.value.counts.rejected;
      for (const cell of batch.value.cube.cells.values()) {
        sums.cells += cell.count;
        sums.durations += cell.durationNs.count;
      }
    }
    // What was refused after the last window was sealed waits for the next.
    const isAll = [sums.batches, sums.cells, sums.durations].every((n) => n === this.#accepted);
    if (isAll && sums.rejected <= this.#rejected) return undefined;
    return `took ${this.#accepted} and refused ${this.#rejected}, shipped ${JSON.stringify(sums)}`;
  }
}

function isTimely(endNs: bigint): boolean {
  const endMs = Number(endNs / 1_000_000n);
  return endMs >= nowMs - pastMs && endMs <= nowMs + futureMs;
}
