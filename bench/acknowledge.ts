/** The part of a collector that acknowledges, for agents that are measured or tested alone. */
import { type NumberSet, withNumber } from "../agent/spool/number-set.ts";
import { createByteReader } from "../base/bytes.ts";
import type { Ack } from "../wire/agent-link.ts";

const heartbeatKind = 0;
const streamIdSize = 16;

/** Takes batches, which are not looked into, and says what their streams have brought so far. */
export function createAcknowledger(): (batch: Uint8Array, nowMs: number) => Ack {
  const streams = new Map<string, NumberSet>();
  return (batch, nowMs) => {
    const reader = createByteReader(batch);
    reader.u8();
    const kind = reader.u8();
    const streamId = Buffer.from(reader.bytes(streamIdSize)).toString("hex");
    const seq = reader.varint();
    const before = streams.get(streamId) ?? [];
    const have = kind === heartbeatKind ? before : withNumber(before, seq);
    streams.set(streamId, have);
    return { have, thresholdsRevision: 0, collectorTimeMs: nowMs };
  };
}
