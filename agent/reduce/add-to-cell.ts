/** What one span adds to the cell of its key. */
import type { Cell } from "../../sketch/cell.ts";
import { addHistogram } from "../../sketch/histogram.ts";
import { addHll } from "../../sketch/hll.ts";

export function addSpan(
  cell: Cell,
  span: { ns: number; slow: boolean; failed: boolean; adjusted: number },
): void {
  cell.count++;
  cell.adjusted = Math.min(cell.adjusted + span.adjusted, Number.MAX_SAFE_INTEGER);
  if (span.failed) cell.errors++;
  if (span.slow) cell.slow++;
  addHistogram(cell.durationNs, span.ns);
}

export function addCustomer(
  cell: Cell,
  hash: Uint32Array,
  span: { slow: boolean; failed: boolean },
): void {
  const low = hash[0] as number;
  const high = hash[1] as number;
  addHll(cell.customers, low, high);
  if (span.failed) addHll(cell.customersFailed, low, high);
  if (span.slow) addHll(cell.customersSlow, low, high);
}
