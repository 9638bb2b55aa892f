/**
 * Who is expected to report, who did, and how far event time has come.
 *
 * A stream that was not heard for 15 s is silent: it holds no window open, and what it usually
 * carries is missing from the coverage, so its silence does not look like a drop in traffic.
 */
import type { StreamState } from "../ingest/streams.ts";

export const silentAfterMs = 15_000;
/** After this a silent stream is taken to be gone for good. */
const expectedForMs = 600_000;
/** Weight of the newest window in a stream's usual traffic. */
const smoothing = 0.2;

/** The time before which no live stream expects more; undefined when none is live. */
export function liveWatermarkMs(streams: Iterable<StreamState>, nowMs: number): number | undefined {
  let watermarkMs: number | undefined;
  for (const stream of streams) {
    if (nowMs - stream.heardMs >= silentAfterMs) continue;
    watermarkMs = Math.min(watermarkMs ?? stream.watermarkMs, stream.watermarkMs);
  }
  return watermarkMs;
}

export interface Reported {
  readonly windowEndMs: number;
  readonly spansByStream: ReadonlyMap<string, number>;
}

/** The traffic share of the expected streams that reported the window, 0..1. */
export function coverageOf(
  streams: Iterable<StreamState>,
  reported: Reported,
  nowMs: number,
): number {
  let expected = 0;
  let seen = 0;
  for (const stream of expectedStreams([...streams], nowMs)) {
    const spans = reported.spansByStream.get(stream.id) ?? 0;
    const weight = Math.max(stream.weight, spans, 1);
    expected += weight;
    if (hasReported(stream, reported)) seen += weight;
  }
  return expected === 0 ? 1 : seen / expected;
}

/** Learns from a window that closes what each stream usually carries. */
export function learnWeights(streams: Iterable<StreamState>, reported: Reported): void {
  for (const stream of streams) {
    if (!hasReported(stream, reported)) continue;
    const spans = reported.spansByStream.get(stream.id) ?? 0;
    stream.weight =
      stream.weight === 0 ? spans : stream.weight * (1 - smoothing) + spans * smoothing;
  }
}

function hasReported(stream: StreamState, { windowEndMs, spansByStream }: Reported): boolean {
  return spansByStream.has(stream.id) || stream.watermarkMs >= windowEndMs;
}

/** A silent stream whose agent goes on under a new stream id has been replaced, not lost. */
function expectedStreams(streams: readonly StreamState[], nowMs: number): StreamState[] {
  const heardMs = new Map<string, number>();
  for (const { agent, heardMs: at } of streams) {
    heardMs.set(agent, Math.max(heardMs.get(agent) ?? 0, at));
  }
  return streams.filter((stream) => {
    const silentMs = nowMs - stream.heardMs;
    if (silentMs < silentAfterMs) return true;
    const replaced = stream.agent !== "" && (heardMs.get(stream.agent) ?? 0) > stream.heardMs;
    return silentMs < expectedForMs && !replaced;
  });
}
