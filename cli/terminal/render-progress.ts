/** A bar for work of known size, and the one line that is rewritten while it goes on. */
import type { Terminal } from "./terminal.ts";

const partials = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/** `share` 0..1 as `width` cells, in steps of an eighth of a cell. */
export function renderBar(share: number, width: number): string {
  const eighths = Math.round(Math.min(1, Math.max(0, share)) * width * 8);
  const full = "█".repeat(Math.floor(eighths / 8));
  return `${full}${partials[eighths % 8] ?? ""}`.padEnd(width, "·");
}

export interface LiveLine {
  /** Shows `text` in place of what it showed before. */
  show(text: string): void;
  /** Clears the line for text that stays. */
  clear(): void;
}

/**
 * Rewrites one line of a terminal. Elsewhere a line is printed only when `show` says something for
 * the first time in `quietMs`, so that a log file stays readable.
 */
export function createLiveLine(
  terminal: Terminal,
  nowMs: () => number,
  quietMs = 10_000,
): LiveLine {
  let shown = false;
  let printedAtMs = -Infinity;
  return {
    show(text) {
      if (terminal.isTty) {
        terminal.write(`\r\u001b[K${text}`);
        shown = true;
      } else if (nowMs() - printedAtMs >= quietMs) {
        printedAtMs = nowMs();
        terminal.write(`${text}\n`);
      }
    },
    clear() {
      if (shown) terminal.write("\r\u001b[K");
      shown = false;
    },
  };
}
