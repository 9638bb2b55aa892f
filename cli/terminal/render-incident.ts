/** An incident as one block of aligned lines, and a routine update as a single one. */
import type { Combination, Hop, Incident, Signal } from "../../wire/api-types.ts";
import { formatCount, formatEstimate, formatExpected, formatShare, formatTime } from "./format.ts";
import { printable, type Style, wrapText } from "./terminal.ts";

export type IncidentMoment = "opened" | "updated" | "resolved" | "firing";

export interface IncidentView {
  readonly incident: Incident;
  readonly moment: IncidentMoment;
  /** From the customer-facing entry to the cause; empty when not known. */
  readonly hops: readonly Hop[];
}

export interface Canvas {
  readonly style: Style;
  readonly columns: number;
}

const labelWidth = 12;
const combinationsMax = 3;
const entriesMax = 4;
const widthMax = 110;

export function renderIncident(view: IncidentView, canvas: Canvas): string {
  const { incident } = view;
  const lines = [
    headline(view, canvas.style),
    canvas.style.dim(`  ${facts(view)}`),
    ...causeLines(incident, canvas),
    ...combinationLines(incident, canvas),
    ...alternativeLines(incident, canvas),
    ...impactLines(incident, canvas),
  ];
  const path = pathOf(view.hops);
  if (path.length > 1) lines.push(...labelled("path", [path.map(printable).join(" → ")], canvas));
  lines.push(...labelled("seen", [seenText(incident)], canvas));
  return `${lines.join("\n")}\n`;
}

/** What an update changed that a person following along needs: the numbers, on one line. */
export function renderUpdate(incident: Incident, style: Style): string {
  const { customers, bad, count } = incident.impact;
  const who = customers === null ? [] : [`${formatEstimate(customers)} customers`];
  const parts = [
    ...who,
    `${formatCount(bad)} of ${formatCount(count)} ${badWord(incident.signal)}`,
  ];
  const id = printable(incident.id);
  return `${style.dim(`${formatTime(incident.asOfMs)}  ${id}`)}  ${parts.join(", ")}\n`;
}

/** Two incidents with one fingerprint tell the same story, in other numbers. */
export function fingerprintOf(incident: Incident): string {
  const { status, page, signal, cause, combinations } = incident;
  const where = combinations.map(({ attributes }) => attributes);
  return JSON.stringify([status, page, signal, cause.name, cause.verdict, where]);
}

/** The nodes of a walk in order; a hop that stays where it is ends it. */
export function pathOf(hops: readonly Hop[]): string[] {
  const first = hops[0];
  if (first === undefined) return [];
  return [first.from, ...hops.filter(({ from, to }) => from !== to).map(({ to }) => to)];
}

const badWords: Readonly<Record<Signal, string>> = {
  errors: "failed",
  slow: "too slow",
  traffic: "missing",
};

export function badWord(signal: Signal): string {
  return badWords[signal];
}

function headline({ incident, moment }: IncidentView, style: Style): string {
  const title = style.bold(printable(incident.title));
  if (moment === "resolved") return `${style.green("✓ resolved")}  ${title}`;
  const mark = incident.page ? style.red(`● ${moment}`) : style.yellow(`○ ${moment}`);
  return `${mark}  ${title}`;
}

function facts({ incident }: IncidentView): string {
  const page = incident.page ? "pages" : `no page: ${printable(incident.gate)}`;
  const score = `score ${incident.score.toFixed(1)}`;
  return [printable(incident.id), badWord(incident.signal), score, page].join(" · ");
}

function causeLines({ cause }: Incident, canvas: Canvas): string[] {
  const { style } = canvas;
  const width = Math.min(canvas.columns, widthMax) - labelWidth - 2;
  const paint = cause.verdict === "inconclusive" ? style.yellow : style.red;
  const name = cause.kind === "none" ? "not found" : printable(cause.name);
  const reason = cause.reason === "" ? [] : wrapText(printable(cause.reason), width).map(style.dim);
  return labelled("cause", [`${paint(name)} (${cause.verdict})`, ...reason], canvas);
}

function combinationLines({ combinations, signal }: Incident, canvas: Canvas): string[] {
  return combinations.slice(0, combinationsMax).flatMap((combination, index) => {
    const { attributes } = combination;
    const width = Math.max(0, ...attributes.map(({ dimension }) => dimension.length));
    const rows = attributes.map(
      ({ dimension, value }) => `${printable(dimension).padEnd(width)} = ${printable(value)}`,
    );
    const numbers = canvas.style.dim(combinationNumbers(combination, signal));
    const everywhere = attributes.length === 0 ? ["everywhere"] : rows;
    return labelled(index === 0 ? "where" : "and", [...everywhere, numbers], canvas);
  });
}

/** What explains it nearly as well: one line each. */
function alternativeLines({ alternatives = [] }: Incident, canvas: Canvas): string[] {
  const rows = alternatives.slice(0, combinationsMax).map(({ attributes, explained }) => {
    const pairs = attributes.map(({ dimension, value }) => `${dimension} = ${value}`);
    return `${printable(pairs.join(", "))} ${canvas.style.dim(`(${formatShare(explained)})`)}`;
  });
  return labelled("or", rows, canvas);
}

function combinationNumbers(combination: Combination, signal: Signal): string {
  const { bad, count, expected, explained, customers } = combination;
  const parts = [
    `${formatCount(bad)} of ${formatCount(count)} ${badWord(signal)}, ${formatExpected(expected)} expected`,
    `${formatShare(explained)} of the excess`,
  ];
  if (customers !== null) parts.push(`${formatEstimate(customers)} customers`);
  return parts.join(" · ");
}

function impactLines({ impact, signal }: Incident, canvas: Canvas): string[] {
  const { customers, entries } = impact;
  const who =
    customers === null
      ? "unknown: no span at an entry names a customer"
      : `${canvas.style.bold(formatEstimate(customers))} affected`;
  const shown = entries.slice(0, entriesMax);
  const width = Math.max(0, ...shown.map((entry) => entryName(entry).length));
  const rows = shown.map(
    (entry) =>
      `${entryName(entry).padEnd(width)}  ${formatCount(entry.bad)} of ${formatCount(entry.count)} ` +
      `${badWord(signal)} (${formatShare(entry.count === 0 ? 0 : entry.bad / entry.count)})`,
  );
  if (entries.length > entriesMax) rows.push(`and ${entries.length - entriesMax} more`);
  return [...labelled("customers", [who], canvas), ...labelled("entries", rows, canvas)];
}

function entryName({ service, operation }: { service: string; operation: string }): string {
  return `${printable(service)} ${printable(operation)}`;
}

function seenText(incident: Incident): string {
  const until = incident.resolvedAtMs ?? incident.asOfMs;
  const coverage = `coverage ${formatShare(incident.coverage)}`;
  return `${formatTime(incident.startedAtMs)} to ${formatTime(until)} · ${coverage}`;
}

/** The label stands before the first row only. */
function labelled(label: string, rows: readonly string[], { style }: Canvas): string[] {
  return rows.map((row, index) => {
    const head = (index === 0 ? label : "").padEnd(labelWidth - 2);
    return `  ${style.cyan(head)}${row}`;
  });
}
