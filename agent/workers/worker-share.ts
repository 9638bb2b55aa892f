/** What one of several workers gets of an agent's configuration and bounds. */
import type { AgentConfig } from "../config.ts";
import { futureMsMax, lateSegmentsMax, windowLengthMs, windowStartOf } from "../windows/windows.ts";

/** Bounds of all together are divided; a whole request still fits one worker. */
export function shareOf(config: AgentConfig): Omit<AgentConfig, "hashKey"> {
  const { hashKey: _, ...rest } = config;
  const share = (bound: number): number => Math.ceil(bound / config.workers);
  return {
    ...rest,
    connectionsMax: share(config.connectionsMax),
    bytesInFlightMax: Math.max(share(config.bytesInFlightMax), config.httpBytesMax),
  };
}

/** Rounded down: together they open no more late windows than their parent may. */
export function lateShareOf(config: AgentConfig): number {
  return Math.max(1, Math.floor(lateSegmentsMax / config.workers));
}

/**
 * From which window on thresholds that came now are in force. No worker has that window open, even
 * for a clock that is ahead, nor will before the news is there: so all use the same ones for it.
 */
export function adoptionMs(nowMs: number): number {
  return windowStartOf(nowMs + futureMsMax) + 2 * windowLengthMs;
}
