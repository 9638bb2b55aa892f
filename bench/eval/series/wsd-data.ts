/** Minute series of a web service with labelled slots. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { readText } from "../read-data.ts";

export interface WsdSeries {
  readonly id: number;
  /** Epoch milliseconds of the first slot. */
  readonly startMs: number;
  readonly stepMs: number;
  /** By slot; NaN where nothing was measured. */
  readonly values: Float64Array;
  readonly labels: Uint8Array;
}

export function readWsd(data: string): WsdSeries[] {
  return readdirSync(data)
    .filter((file) => /^\d+\.txt\.gz$/.test(file))
    .sort()
    .map((file) => {
      const [head = "", ...lines] = readText(join(data, file)).split("\n");
      const { id, t0, step, n } = JSON.parse(head) as Record<"id" | "t0" | "step" | "n", number>;
      const values = new Float64Array(n).fill(Number.NaN);
      const labels = new Uint8Array(n);
      for (let slot = 0; slot < n; slot++) {
        const [value = "", label] = (lines[slot] ?? "").split(",");
        if (value !== "") values[slot] = Number(value);
        if (label === "1") labels[slot] = 1;
      }
      return { id, startMs: t0 * 1_000, stepMs: step * 1_000, values, labels };
    });
}
