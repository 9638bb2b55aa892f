/** Numbers, times and estimates as people read them; times in the reader's own zone. */
import type { Estimate, Signal } from "../../wire/api-types.ts";

/** 12345.6 -> "12,346". */
export function formatCount(count: number): string {
  return Math.round(count)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, ",");
}

/** 950 -> "950", 12345 -> "12.3k", 4200000 -> "4.2M": where room is short. */
export function formatShort(count: number): string {
  if (count < 9_999.5) return formatCount(count);
  const [value, unit] = count < 999_950 ? [count / 1e3, "k"] : [count / 1e6, "M"];
  return `${value.toFixed(value < 99.95 ? 1 : 0).replace(/\.0$/, "")}${unit}`;
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
  const rounded = percent.toFixed(percent >= 10 || percent === 0 ? 0 : 1);
  return `${rounded === "100" && percent < 100 ? percent.toFixed(1) : rounded} %`;
}

export function shareOf({ count, bad }: { count: number; bad: number }): number {
  return count === 0 ? 0 : bad / count;
}

/** "±12" for even bounds, "−3 +12" for uneven ones, "" when the value is exact. */
export function formatBounds({ value, low, high }: Estimate): string {
  const down = Math.round(value) - Math.round(low);
  const up = Math.round(high) - Math.round(value);
  if (down <= 0 && up <= 0) return "";
  return down === up ? `±${formatCount(up)}` : `−${formatCount(down)} +${formatCount(up)}`;
}

/** "118 ±3". */
export function formatEstimate(estimate: Estimate): string {
  return `${formatCount(estimate.value)} ${formatBounds(estimate)}`.trimEnd();
}

/** "0.04", "0.0003", "2e-7", "<1e-15": how surprising a chance event this would be. */
export function formatProbability(probability: number): string {
  if (probability < 1e-15) return "<1e-15";
  if (probability >= 0.0001) return Number(probability.toPrecision(2)).toString();
  return probability.toExponential(0).replace("e-0", "e-");
}

/** "0.8 ms", "120 ms", "4.2 s", "3 min 20 s", "2 h 5 min". */
export function formatDurationMs(durationMs: number): string {
  if (durationMs < 9.95) return `${durationMs.toFixed(1)} ms`;
  if (durationMs < 999.5) return `${Math.round(durationMs)} ms`;
  if (durationMs < 59_950) return `${(durationMs / 1000).toFixed(1).replace(/\.0$/, "")} s`;
  const seconds = Math.round(durationMs / 1000);
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60)
    return seconds % 60 === 0 ? `${minutes} min` : `${minutes} min ${seconds % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** Whole units only, for ages that tick: "40 s", "12 min", "2 h 5 min". */
export function formatAgeMs(ageMs: number): string {
  const seconds = Math.max(0, Math.round(ageMs / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** "12:04:30". */
export function formatTime(atMs: number): string {
  const date = new Date(atMs);
  return [date.getHours(), date.getMinutes(), date.getSeconds()]
    .map((part) => String(part).padStart(2, "0"))
    .join(":");
}

/** Whole seconds of the last hours as a time, older ones with their date. */
export function formatMoment(atMs: number, nowMs: number): string {
  const isRecent = Math.abs(nowMs - atMs) < 20 * 3_600_000;
  return isRecent ? formatTime(atMs) : `${new Date(atMs).toLocaleDateString()} ${formatTime(atMs)}`;
}

/** formatNoun(1, "window") -> "1 window"; 2 -> "2 windows". */
export function formatNoun(count: number, noun: string, plural = `${noun}s`): string {
  return `${formatCount(count)} ${Math.round(count) === 1 ? noun : plural}`;
}

const badWords: Readonly<Record<Signal, string>> = {
  errors: "failed",
  slow: "too slow",
  traffic: "missing",
};

export function badWord(signal: Signal): string {
  return badWords[signal];
}
