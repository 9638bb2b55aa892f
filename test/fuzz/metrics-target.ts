/**
 * OTLP metrics in protobuf: a refused request has told no point, of a taken one every point is told
 * and counted once, as taken or as refused; and what an agent ships of them can be read, holds no
 * spans, and only finite values.
 */
import { type Agent, createAgent } from "../../agent/agent.ts";
import { defaultAgentConfig } from "../../agent/config.ts";
import { createVirtualClock, type VirtualClock } from "../../base/clock.ts";
import { silentLog } from "../../base/log.ts";
import { createMeter } from "../../base/meter.ts";
import { createPrng } from "../../base/prng.ts";
import { createAcknowledger } from "../../bench/acknowledge.ts";
import { nodeDisk } from "../../cli/node-disk.ts";
import { readMetrics } from "../../wire/read-metrics.ts";
import { decodeSketchBatch } from "../../wire/sketch-batch.ts";
import type { Fault, Verdicts } from "./otlp-target.ts";
import { fuzzStartMs } from "./seeds.ts";

const nowMs = fuzzStartMs + 5_000;
const sealedMs = 30_000;

export class MetricsTarget {
  readonly verdicts: Verdicts = { accepted: 0, refused: 0 };
  #agent = new MetricsAgent();

  check(input: Uint8Array): Fault {
    let told = 0;
    const read = readMetrics(input, () => told++);
    if (read.ok) this.verdicts.accepted++;
    else this.verdicts.refused++;
    if (!read.ok && told > 0) return `refused, but ${told} points were told`;
    // Of two kinds of data in one metric the last counts, so fewer may be told than there are.
    if (read.ok && told > read.value) return `tells ${told} points of ${read.value}`;
    const taken = this.#agent.ingest(input);
    if (taken.ok !== read.ok) return "reader and agent disagree";
    if (!taken.ok || !read.ok) return undefined;
    const { accepted, rejected } = taken.value;
    return accepted + rejected === read.value
      ? undefined
      : `the agent counts ${accepted} + ${rejected} of ${read.value}`;
  }

  async settle(): Promise<Fault> {
    const fault = await this.#agent.settle();
    this.#agent = new MetricsAgent();
    return fault;
  }
}

class MetricsAgent {
  readonly #clock: VirtualClock = createVirtualClock(nowMs);
  readonly #batches: Uint8Array[] = [];
  readonly #agent: Agent;

  constructor() {
    const acknowledge = createAcknowledger();
    const prng = createPrng(5);
    this.#agent = createAgent(
      { ...defaultAgentConfig(), listen: false, dimensions: ["http.route"] },
      {
        clock: this.#clock,
        log: silentLog,
        meter: createMeter(),
        disk: nodeDisk,
        randomBytes: (size) => Uint8Array.from({ length: size }, () => prng.integer(256)),
        link: {
          send: async (batch) => {
            this.#batches.push(batch);
            return acknowledge(batch, this.#clock.nowMs());
          },
          thresholds: async () => ({ revision: 0, items: [] }),
        },
      },
    );
    // Without ports there is nothing to wait for.
    void this.#agent.start();
  }

  ingest(input: Uint8Array) {
    return this.#agent.ingestMetrics(input);
  }

  async settle(): Promise<Fault> {
    this.#clock.advance(sealedMs);
    await this.#agent.flush();
    await this.#agent.shutdown();
    for (const bytes of this.#batches) {
      const batch = decodeSketchBatch(bytes);
      if (!batch.ok) return `the agent ships what cannot be read: ${batch.error.message}`;
      if (batch.value.kind === "window" && batch.value.counts.spans > 0) return "ships spans";
    }
    return undefined;
  }
}
