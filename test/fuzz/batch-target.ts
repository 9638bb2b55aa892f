/**
 * Sketch batches: bytes are refused, or are those of a batch. A batch that is taken can be written
 * and read again, and is the same to the byte from then on, so nothing invalid got in. (The bytes
 * taken may differ from those written: a varint may be padded, half-edges come in any order.)
 */
import { createAgent } from "../../agent/agent.ts";
import { defaultAgentConfig } from "../../agent/config.ts";
import { createVirtualClock } from "../../base/clock.ts";
import { silentLog } from "../../base/log.ts";
import { createMeter } from "../../base/meter.ts";
import { createPrng } from "../../base/prng.ts";
import { createAcknowledger } from "../../bench/acknowledge.ts";
import { nodeDisk } from "../../cli/node-disk.ts";
import { decodeSketchBatch, encodeSketchBatch } from "../../wire/sketch-batch.ts";
import type { Fault, Verdicts } from "./otlp-target.ts";
import { fuzzStartMs } from "./seeds.ts";

/** Requests of which one window is made. */
const requestsPerBatch = 5;
const sealedMs = 30_000;

/** What an agent ships for these requests. */
export async function makeBatchSeeds(
  requests: readonly Uint8Array[],
  metrics: readonly Uint8Array[],
): Promise<Uint8Array[]> {
  const clock = createVirtualClock(fuzzStartMs);
  const prng = createPrng(9);
  const batches: Uint8Array[] = [];
  const acknowledge = createAcknowledger();
  const agent = createAgent(
    { ...defaultAgentConfig(), listen: false, dimensions: ["customer.id"] },
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
  await agent.start();
  for (const [index, request] of requests.entries()) {
    agent.ingest(request);
    agent.ingestMetrics(metrics[index % metrics.length] as Uint8Array);
    if (index % requestsPerBatch === 0) clock.advance(sealedMs);
  }
  await agent.shutdown();
  return [...batches, ...declarations];
}

const header = {
  streamId: "0123456789abcdef0123456789abcdef",
  seq: 300,
  streamSpans: 123_456,
  agent: "node-1",
  watermarkMs: fuzzStartMs,
  hashKeyId: "k1",
  thresholdsRevision: 2,
  windowLengthMs: 10_000,
};
const lost = Array.from({ length: 20 }, (_, at) => {
  const windowStartMs = fuzzStartMs + at * header.windowLengthMs;
  return { seq: 1 + at * at, spans: 900 * at, errors: 30 * at, windowStartMs };
});

/** What an agent ships only when something went wrong. */
const declarations = [
  encodeSketchBatch({ ...header, kind: "tombstone", cause: "corrupt", lost }),
  encodeSketchBatch({ ...header, kind: "gap", gapFromMs: 1, gapToMs: fuzzStartMs }),
  encodeSketchBatch({ ...header, kind: "heartbeat", oldestSeq: 17, question: 5 }),
];

export function checkBatch(input: Uint8Array, verdicts: Verdicts): Fault {
  const decoded = decodeSketchBatch(input);
  if (!decoded.ok) {
    verdicts.refused++;
    return decoded.error.message === "" ? "refused without a reason" : undefined;
  }
  verdicts.accepted++;
  const written = encodeSketchBatch(decoded.value);
  const again = decodeSketchBatch(written);
  if (!again.ok) return `taken, but written it is refused: ${again.error.message}`;
  const isSame = Buffer.compare(encodeSketchBatch(again.value), written) === 0;
  return isSame ? undefined : "comes back as other bytes";
}
