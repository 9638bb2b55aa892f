/** One line a person can act on: who, what, where. */
import type { Cause, Combination, Estimate, Impact, Signal } from "../../wire/api-types.ts";

export interface TitleParts {
  readonly cause: Cause;
  readonly signal: Signal;
  readonly combinations: readonly Combination[];
  readonly impact: Impact;
}

export function titleOf({ cause, signal, combinations, impact }: TitleParts): string {
  const entries = impact.entries.map(({ service, operation }) => operation || service).join(", ");
  const what =
    cause.verdict === "inconclusive"
      ? `${entries === "" ? "requests" : entries}: ${inconclusiveWords[signal]}`
      : `${cause.name} ${stateWords[signal]}`;
  const where = combinations[0] === undefined ? "" : ` where ${describe(combinations[0])}`;
  return `${whoOf(impact.customers)}${what}${where}`;
}

const inconclusiveWords: Readonly<Record<Signal, string>> = {
  errors: "errors, cause inconclusive",
  slow: "slow, cause inconclusive",
  traffic: "fewer requests arrive",
};

const stateWords: Readonly<Record<Signal, string>> = {
  errors: "fails",
  slow: "is slow",
  traffic: "is called no more",
};

function describe({ attributes }: Combination): string {
  return attributes.map(({ dimension, value }) => `${dimension}=${value}`).join(", ");
}

function whoOf(customers: Estimate | null): string {
  if (customers === null) return "";
  const count = Math.round(customers.value);
  return `${count} ${count === 1 ? "customer" : "customers"}: `;
}
