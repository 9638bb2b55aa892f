/** Where exactly a cause's excess lies: leaves of the evidence handed to the isolation search. */
import {
  defaultIsolationOptions,
  type IsolatedCombination,
  isolate,
} from "../../detectors/isolation.ts";
import { boundsHll, createHll, mergeHll } from "../../sketch/hll.ts";
import type { Combination } from "../../wire/api-types.ts";
import type { EvidenceRow } from "./evidence.ts";
import { isOutgoing } from "./roll-up.ts";

export interface IsolateInput {
  /** Keys of the spans to blame. */
  readonly blamed: readonly EvidenceRow[];
  readonly dimensions: readonly string[];
}

export interface IsolatedCause {
  /** That explain the excess, strongest first; none when it is spread evenly. */
  readonly combinations: readonly Combination[];
  /** That explain it nearly as well, strongest first. */
  readonly alternatives: readonly Combination[];
}

/** Nats: more than e^10 times less likely is not worth a word. */
const behindMax = 10;

export function isolateCause({ blamed, dimensions }: IsolateInput): IsolatedCause {
  const rows = ofWorstKind(blamed);
  const nameable = dimensions.map((name, index) => ({ name, index })).filter(isNameable);
  const leaves = rows.map((row) => ({
    key: nameable.map(({ index }) => row.key?.[index] ?? ""),
    count: row.count,
    bad: blameOf(row),
    expected: Math.min(row.expected, row.count),
  }));
  const names = nameable.map(({ name }) => name);
  const found = isolate(leaves, defaultIsolationOptions(names));
  const complete = (one: IsolatedCombination): Combination => {
    const { attributes, count, bad, expected, explained, pValue } = one;
    const customers = customersOf(rows.filter((row) => matches(row, attributes, dimensions)));
    return { attributes, count, bad, expected, explained, pValue, customers };
  };
  return {
    combinations: found.combinations
      .filter(({ attributes }) => attributes.length > 0)
      .map(complete),
    alternatives: found.alternatives.filter(({ behind }) => behind <= behindMax).map(complete),
  };
}

/** A span's kind is how it was recorded, not where a fault lies. */
export function isNameable({ name }: { readonly name: string }): boolean {
  return name !== "span.kind" && name !== "peer";
}

/** What began in this key: for calls going out, every bad one. */
function blameOf(row: EvidenceRow): number {
  return isOutgoing(row.kind) ? row.bad : row.originBad;
}

/** Spans of several kinds tell of the same events; the kind with most bad ones tells it best. */
function ofWorstKind(rows: readonly EvidenceRow[]): EvidenceRow[] {
  const badByKind = new Map<string, number>();
  for (const row of rows) badByKind.set(row.kind, (badByKind.get(row.kind) ?? 0) + blameOf(row));
  const worst = [...badByKind].sort((a, b) => b[1] - a[1])[0]?.[0];
  return rows.filter((row) => row.kind === worst);
}

function matches(
  row: EvidenceRow,
  attributes: Combination["attributes"],
  dimensions: readonly string[],
): boolean {
  return attributes.every(
    ({ dimension, value }) => row.key?.[dimensions.indexOf(dimension)] === value,
  );
}

function customersOf(rows: readonly EvidenceRow[]): Combination["customers"] {
  const union = createHll();
  for (const row of rows) if (row.customersBad !== undefined) mergeHll(union, row.customersBad);
  const bounds = boundsHll(union);
  return bounds.value === 0 ? null : bounds;
}
