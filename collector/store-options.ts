/** The embedded store as the configuration wants it, with what it does counted and logged. */
import type { Disk } from "../base/disk.ts";
import type { Log } from "../base/log.ts";
import type { Meter } from "../base/meter.ts";
import type { CollectorConfig } from "./config.ts";
import { coarseWindowMs, createLevels, type Level } from "./store/levels.ts";
import type { FileStoreOptions } from "./store/store.ts";

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
/** A coarser window sees more keys than each of those inside it. */
const mergedKeysFactor = 4;
/** Late data is kept this long, unless windows are kept for less. */
const historyMsMax = 48 * hourMs;

export function storeOptions(
  config: CollectorConfig,
  { disk, log, meter }: { disk: Disk; log: Log; meter: Meter },
): FileStoreOptions {
  return {
    disk,
    directory: config.dataDir,
    levels: levelsOf(config),
    bytesMax: config.storeBytesMax,
    mergedKeysMax: config.keysMax * mergedKeysFactor,
    onMade: ({ lengthMs, foldedSpans }) => {
      const level = { level: levelName(lengthMs) };
      meter.counter("brunt_collector_rollups_total", "coarser windows made", level).add();
      meter
        .counter("brunt_collector_rollup_folded_spans_total", "spans in folded keys", level)
        .add(foldedSpans);
    },
    onGone: ({ reason, lengthMs, windows, bytes }) => {
      const level = levelName(lengthMs);
      meter
        .counter("brunt_collector_windows_gone_total", "closed windows unlinked", { reason, level })
        .add(windows);
      if (reason === "size") {
        log.warn("the store is full: its oldest windows go", { level, windows, bytes });
      }
    },
  };
}

function levelsOf(config: CollectorConfig): readonly Level[] {
  const { minuteRetentionDays, tenMinuteRetentionDays, hourRetentionDays } = config;
  return createLevels({
    windowLengthMs: config.windowLengthMs,
    retentionMs: [
      config.retentionHours * hourMs,
      minuteRetentionDays * dayMs,
      tenMinuteRetentionDays * dayMs,
      hourRetentionDays * dayMs,
    ],
  });
}

/** How late data may be: no longer than there is a level that takes it. */
export function historyMsOf(config: CollectorConfig): number {
  const taking = levelsOf(config).filter(
    ({ lengthMs }, index) => index === 0 || lengthMs === coarseWindowMs,
  );
  return Math.min(historyMsMax, Math.max(...taking.map(({ retentionMs }) => retentionMs)));
}

/** "10s", "1m", "1h". */
export function levelName(lengthMs: number): string {
  if (lengthMs % hourMs === 0) return `${lengthMs / hourMs}h`;
  return lengthMs % 60_000 === 0 ? `${lengthMs / 60_000}m` : `${lengthMs / 1_000}s`;
}
