/** One line a person can act on: who, what, where. */
import type { Cause, Combination, Estimate, Impact, Signal } from "../../wire/api-types.ts";

export interface TitleParts {
  readonly cause: Cause;
  readonly signal: Signal;
  readonly combinations: readonly Combination[];
  readonly impact: Impact;
}

export function titleOf({ cause, signal, combinations, impact }: TitleParts): string {
  const state = signal === "errors" ? "fails" : "is slow";
  const entries = impact.entries.map((entry) => entry.operation).join(", ");
  const what =
    cause.verdict === "inconclusive"
      ? `${entries === "" ? "requests" : entries}: ${signal}, cause inconclusive`
      : `${cause.name} ${state}`;
  const where = combinations[0] === undefined ? "" : ` where ${describe(combinations[0])}`;
  return `${whoOf(impact.customers)}${what}${where}`;
}

function describe({ attributes }: Combination): string {
  return attributes.map(({ dimension, value }) => `${dimension}=${value}`).join(", ");
}

function whoOf(customers: Estimate | null): string {
  if (customers === null) return "";
  const count = Math.round(customers.value);
  return `${count} ${count === 1 ? "customer" : "customers"}: `;
}
