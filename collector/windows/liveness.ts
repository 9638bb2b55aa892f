/**
 * Who is expected to report, who did, and how far event time has come.
 *
 *   silent      not heard for 15 s
 *   lagging     its watermark is more than 25 s behind: a wrong clock, or an agent in trouble
 *   incomplete  records of it are still to come, so its watermark promises nothing yet
 *
 * None of these holds a window open. What a stream usually carries is missing from the coverage of
 * every window it has not reported, so its silence does not look like a drop in traffic.
 */
import { isComplete, type StreamState } from "../ingest/stream-state.ts";

export const silentAfterMs = 15_000;
/** A healthy watermark is a window and its grace behind, 15 s, and what the network takes. */
const laggingAfterMs = 25_000;
/** After this a silent stream is taken to be gone for good. */
const expectedForMs = 600_000;
/** Weight of the newest window in a stream's usual traffic. */
const smoothing = 0.2;

/** The time before which no live stream expects more; undefined when none says. */
export function liveWatermarkMs(streams: Iterable<StreamState>, nowMs: number): number | undefined {
  let watermarkMs: number | undefined;
  for (const stream of streams) {
    if (isSilent(stream, nowMs) || !isComplete(stream)) continue;
    if (nowMs - stream.watermarkMs > laggingAfterMs) continue;
    watermarkMs = Math.min(watermarkMs ?? stream.watermarkMs, stream.watermarkMs);
  }
  return watermarkMs;
}

/** What of a window has come. */
export interface Reported {
  readonly startMs: number;
  readonly endMs: number;
  readonly spansByStream: ReadonlyMap<string, number>;
  /** Streams that had reported it when it was closed before. */
  readonly before: ReadonlySet<string>;
}

export interface Coverage {
  /** The traffic share of the expected streams that reported, 0..1. */
  readonly share: number;
  /** Names of the agents that were expected and did not. */
  readonly silentAgents: readonly string[];
}

export function coverageOf(
  streams: Iterable<StreamState>,
  reported: Reported,
  nowMs: number,
): Coverage {
  return coverageBy(streams, nowMs, (stream) => {
    const spans = reported.spansByStream.get(stream.id) ?? 0;
    return { weight: Math.max(stream.weight, spans), isThere: hasReported(stream, reported) };
  });
}

/** The share of the expected streams that can be heard now: known sooner than a window closes. */
export function coverageNow(streams: Iterable<StreamState>, nowMs: number): Coverage {
  return coverageBy(streams, nowMs, (stream) => ({
    weight: stream.weight,
    isThere: !isSilent(stream, nowMs),
  }));
}

function coverageBy(
  streams: Iterable<StreamState>,
  nowMs: number,
  read: (stream: StreamState) => { readonly weight: number; readonly isThere: boolean },
): Coverage {
  let expected = 0;
  let seen = 0;
  const silent = new Set<string>();
  for (const stream of expectedStreams([...streams], nowMs)) {
    const { weight, isThere } = read(stream);
    expected += Math.max(weight, 1);
    if (isThere) seen += Math.max(weight, 1);
    else silent.add(stream.agent === "" ? stream.id : stream.agent);
  }
  return { share: expected === 0 ? 1 : seen / expected, silentAgents: [...silent].sort() };
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

/** The streams of these that have told all they know of the window. */
export function reportersOf(streams: Iterable<StreamState>, reported: Reported): string[] {
  return [...streams].filter((stream) => hasReported(stream, reported)).map(({ id }) => id);
}

/** Whether anybody is, or was lately, there to report. */
export function isAnyoneExpected(streams: Iterable<StreamState>, nowMs: number): boolean {
  for (const { heardMs } of streams) if (nowMs - heardMs < expectedForMs) return true;
  return false;
}

function isSilent(stream: StreamState, nowMs: number): boolean {
  return nowMs - stream.heardMs >= silentAfterMs;
}

function hasReported(stream: StreamState, reported: Reported): boolean {
  const { startMs, endMs, spansByStream, before } = reported;
  // What was lost of the window, or never seen, is not made up for by what else came of it.
  if (stream.unreported.some(([from, to]) => from < endMs && startMs <= to)) return false;
  if (spansByStream.has(stream.id) || before.has(stream.id)) return true;
  return isComplete(stream) && stream.watermarkMs >= endMs;
}

/** A silent stream whose agent goes on under a new stream id has been replaced, not lost. */
function expectedStreams(streams: readonly StreamState[], nowMs: number): StreamState[] {
  const heardMs = new Map<string, number>();
  for (const { agent, heardMs: at } of streams) {
    heardMs.set(agent, Math.max(heardMs.get(agent) ?? 0, at));
  }
  return streams.filter((stream) => {
    if (!isSilent(stream, nowMs)) return true;
    const replaced = stream.agent !== "" && (heardMs.get(stream.agent) ?? 0) > stream.heardMs;
    return nowMs - stream.heardMs < expectedForMs && !replaced;
  });
}
