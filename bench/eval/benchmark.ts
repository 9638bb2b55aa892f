/** A public data set, and how well the product does on it. */
import type { Figure } from "../table.ts";

export interface Benchmark {
  /** As on the command line, and before every figure of the flat JSON. */
  readonly name: string;
  readonly title: string;
  /** Of the data's folder; undefined for what makes its own cases. */
  readonly folder?: string;
  /** `data` is the data set's own folder, "" for what makes its own cases: others a seed. */
  measure(data: string, seed: number): Promise<readonly Figure[]>;
}
