/** Numbers, times and estimates as people read them. All deterministic: times are UTC. */
import type { Estimate } from "../../wire/api-types.ts";

/** 12345.6 -> "12,346". */
export function formatCount(count: number): string {
  return Math.round(count)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, ",");
}

/** A small expected number keeps one decimal: 0.4, 12, 3,400. */
export function formatExpected(expected: number): string {
  return expected < 10 ? expected.toFixed(1).replace(/\.0$/, "") : formatCount(expected);
}

/** A share 0..1 as "7.8 %"; what is not quite none or all does not read as none or all. */
export function formatShare(share: number): string {
  const percent = share * 100;
  if (percent > 0 && percent < 0.1) return "<0.1 %";
  if (percent < 100 && percent >= 99.95) return ">99.9 %";
  const digits = percent >= 10 || percent === 0 ? 0 : 1;
  const rounded = percent.toFixed(digits);
  return `${rounded === "100" && percent < 100 ? percent.toFixed(1) : rounded} %`;
}

/** "118 (115 to 121)"; the bounds only where they differ from the value. */
export function formatEstimate(estimate: Estimate): string {
  const value = formatCount(estimate.value);
  const low = formatCount(estimate.low);
  const high = formatCount(estimate.high);
  return low === value && high === value ? value : `${value} (${low} to ${high})`;
}

/** "0.8 ms", "120 ms", "4.2 s", "3 min 20 s", "2 h 5 min". */
export function formatDurationMs(durationMs: number): string {
  if (durationMs < 9.95) return `${durationMs.toFixed(1)} ms`;
  if (durationMs < 999.5) return `${Math.round(durationMs)} ms`;
  if (durationMs < 59_950) return `${(durationMs / 1000).toFixed(1).replace(/\.0$/, "")} s`;
  const totalSeconds = Math.round(durationMs / 1000);
  const minutes = Math.floor(totalSeconds / 60);
  const seconds = totalSeconds % 60;
  if (minutes < 60) return seconds === 0 ? `${minutes} min` : `${minutes} min ${seconds} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

const byteUnits = ["B", "KiB", "MiB", "GiB", "TiB"] as const;

/** "340 B", "1.2 MiB", "12 GiB". */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  for (; value >= 999.5 && unit < byteUnits.length - 1; unit++) value /= 1_024;
  const text = unit === 0 || value >= 9.95 ? value.toFixed(0) : value.toFixed(1);
  return `${text} ${byteUnits[unit]}`;
}

/** "12:04:30Z". */
export function formatTime(atMs: number): string {
  return new Date(atMs).toISOString().slice(11, 19).concat("Z");
}

/** "2022-08-23 17:00:30Z". */
export function formatDateTime(atMs: number): string {
  return new Date(atMs).toISOString().slice(0, 19).replace("T", " ").concat("Z");
}

/** formatNoun(1, "window") -> "1 window"; 2 -> "2 windows". */
export function formatNoun(count: number, noun: string, plural = `${noun}s`): string {
  return `${formatCount(count)} ${Math.round(count) === 1 ? noun : plural}`;
}
