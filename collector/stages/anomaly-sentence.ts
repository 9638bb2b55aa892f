/** One anomaly as a sentence with its numbers, for people. */
import type { Signal } from "../../wire/api-types.ts";
import type { TrafficRow } from "./traffic.ts";

interface Named {
  readonly scope: string;
  readonly service: string;
  readonly operation: string;
  readonly peer: string;
}

interface Figures {
  readonly count: number;
  readonly bad: number;
  readonly expected: number;
  readonly pValue: number;
}

const words: Readonly<Record<Exclude<Signal, "traffic">, string>> = {
  errors: "failed",
  slow: "were slow",
};

/** "checkout POST /pay: 41 of 300 failed, 1.2 expected (p 1e-30)". */
export function anomalySentence(
  row: Named & Figures & { readonly signal: Exclude<Signal, "traffic"> },
): string {
  const { bad, count, expected, pValue } = row;
  return `${subjectText(row)}: ${bad} of ${count} ${words[row.signal]}, ${small(expected)} expected (${probability(pValue)})`;
}

/** "checkout POST /pay: 12 requests came where 900 were expected (p 1e-30)". */
export function trafficSentence(row: TrafficRow): string {
  const { count, expected, pValue } = row.low ?? row;
  const what = row.scope === "call" ? "calls" : "requests";
  return `${subjectText(row)}: ${Math.round(count)} ${what} where ${small(expected)} were expected (${probability(pValue)})`;
}

/** "checkout POST /pay: 120 of 300 took longer than nine in ten do, 30 expected (p 1e-30)". */
export function durationSentence(
  shift: Omit<Named, "scope"> & Figures & { readonly kind: string; readonly distance: number },
): string {
  const { kind, bad, count, expected, distance, pValue } = shift;
  const isOutgoing = kind === "client" || kind === "producer";
  const subject = subjectText({ ...shift, scope: isOutgoing ? "call" : "operation" });
  const share = Math.round(100 * distance);
  return `${subject}: ${bad} of ${count} took longer than nine in ten do, ${small(expected)} expected; ${share} % take other times than usual (${probability(pValue)})`;
}

/** "checkout: 300 customers where 900 were expected (p 1e-6)". */
export function customersSentence(figures: {
  readonly service: string;
  readonly seen: number;
  readonly expected: number;
  readonly pValue: number;
}): string {
  const { service, seen, expected, pValue } = figures;
  return `${service}: ${Math.round(seen)} customers where ${small(expected)} were expected (${probability(pValue)})`;
}

function subjectText({ scope, service, operation, peer }: Named): string {
  if (scope === "call") return `${service} → ${peer === "" ? "unknown" : peer}`;
  return operation === "" ? service : `${service} ${operation}`;
}

function small(expected: number): string {
  return expected < 10 ? String(Number(expected.toPrecision(2))) : String(Math.round(expected));
}

/** Beyond 1e-300 numbers end. */
function probability(pValue: number): string {
  return pValue <= 1e-300 ? "p below 1e-300" : `p ${Number(pValue.toPrecision(1))}`;
}
