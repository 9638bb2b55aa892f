/** An agent without sockets on a clock of our own; its batches come to us. */
import { createAgent } from "../agent/agent.ts";
import { type AgentConfig, defaultAgentConfig } from "../agent/config.ts";
import { createVirtualClock } from "../base/clock.ts";
import { silentLog } from "../base/log.ts";
import { createMeter } from "../base/meter.ts";
import { createPrng } from "../base/prng.ts";
import { nodeDisk } from "../cli/node-disk.ts";
import { createAcknowledger } from "./acknowledge.ts";

export interface PipelineUnderTest {
  nowMs(): number;
  /** Takes a request and sees that all its spans were taken. */
  ingest(bytes: Uint8Array, spans: number): void;
  /** Moves on until the windows so far are sealed and their spans forgotten. */
  nextWindow(): void;
  /** Moves time on. */
  advance(ms: number): void;
  /** Batches made so far. */
  batches(): Promise<readonly Uint8Array[]>;
}

/** The start of a window. */
export const pipelineStartMs = 1_800_000_000_000;
const windowMs = 10_000;
/** A window is sealed 5 s after its end, its spans are forgotten 10 s later, checked every 5 s. */
const forgottenMs = 3 * windowMs;

export function createPipelineUnderTest(config: Partial<AgentConfig> = {}): PipelineUnderTest {
  const clock = createVirtualClock(pipelineStartMs);
  const prng = createPrng(11);
  const batches: Uint8Array[] = [];
  const acknowledge = createAcknowledger();
  const agent = createAgent(
    { ...defaultAgentConfig(), listen: false, retrySeconds: 0, ...config },
    {
      clock,
      log: silentLog,
      meter: createMeter(),
      disk: nodeDisk,
      randomBytes: (size) => Uint8Array.from({ length: size }, () => prng.integer(256)),
      link: {
        send: async (batch) => {
          batches.push(batch);
          return acknowledge(batch, clock.nowMs());
        },
        thresholds: async () => ({ revision: 0, items: [] }),
      },
    },
  );
  // Without ports nothing is waited for: the clockwork stands when this returns.
  void agent.start();
  return {
    nowMs: () => clock.nowMs(),
    ingest(bytes, spans) {
      const result = agent.ingest(bytes);
      if (!result.ok) throw new Error(result.error.message);
      if (result.value.accepted !== spans) throw new Error(result.value.message);
    },
    nextWindow: () => clock.advance(forgottenMs),
    advance: (ms) => clock.advance(ms),
    async batches() {
      await agent.flush();
      return batches;
    },
  };
}
