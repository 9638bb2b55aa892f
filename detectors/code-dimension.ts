/**
 * Values of one dimension as small integers. The absent ("") and the folded value are never named:
 * neither says where.
 */
import { overflowValue } from "../sketch/key.ts";

export interface CodedDimension {
  readonly name: string;
  /** That can be named. */
  readonly values: readonly string[];
  /** [leaf] an index into `values`, or -1. */
  readonly codes: Int32Array;
}

interface WeighedKeys {
  readonly keys: readonly (readonly string[])[];
  /** [leaf] Only values whose leaves weigh more than 0 together are named, the heaviest first. */
  readonly weights?: Float64Array;
}

const unnameable = new Set(["", overflowValue]);
/** Of one dimension that is weighed. */
const valuesMax = 15;

/** Without values when it has only one, or none that can be named. */
export function codeDimension(
  { keys, weights }: WeighedKeys,
  { name, index }: { readonly name: string; readonly index: number },
): CodedDimension {
  const numbers = new Map<string, number>();
  const codes = new Int32Array(keys.length);
  const weighed: number[] = [];
  for (let leaf = 0; leaf < codes.length; leaf++) {
    const value = keys[leaf]?.[index] ?? "";
    const number = numbers.get(value) ?? numbers.size;
    if (number === numbers.size) numbers.set(value, number);
    codes[leaf] = number;
    weighed[number] = (weighed[number] ?? 0) + (weights?.[leaf] ?? 0);
  }
  if (numbers.size < 2) return { name, values: [], codes };
  const weightOf = (value: string): number => weighed[numbers.get(value) as number] as number;
  let values = [...numbers.keys()].filter((value) => !unnameable.has(value)).sort();
  if (weights !== undefined) {
    values = values
      .filter((value) => weightOf(value) > 0)
      .sort((a, b) => weightOf(b) - weightOf(a) || (a < b ? -1 : 1))
      .slice(0, valuesMax);
  }
  const coded = new Int32Array(numbers.size).fill(-1);
  for (const [code, value] of values.entries()) coded[numbers.get(value) as number] = code;
  return { name, values, codes: codes.map((number) => coded[number] as number) };
}
