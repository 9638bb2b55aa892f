/** The doctor's report for people: what was found, the sums, and the word that matters. */
import { formatCount, formatNoun } from "../terminal/format.ts";
import type { Style, Terminal } from "../terminal/terminal.ts";
import {
  type Examination,
  type Finding,
  type FindingState,
  missingIn,
  type SpanSum,
} from "./finding.ts";

const marks: Readonly<Record<FindingState, string>> = { well: "ok", look: "!", wrong: "x" };
const subjectWidthMin = 10;

/** Something is wrong, or a sum does not hold. */
export function isWrong({ findings, sums }: Examination): boolean {
  return (
    findings.some(({ state }) => state === "wrong") || sums.some((sum) => missingIn(sum) !== 0)
  );
}

export function renderReport(
  examination: Examination,
  { style }: Pick<Terminal, "style">,
): string[] {
  const { findings, sums } = examination;
  const width = Math.max(subjectWidthMin, ...findings.map(({ subject }) => subject.length));
  const found = findings.map(({ subject, state, detail }) => {
    const mark = paint(style, state)(marks[state].padEnd(3));
    return `${mark}${subject.padEnd(width)}  ${detail}`;
  });
  return [...found, "", ...sums.flatMap((sum) => renderSum(sum, style)), "", verdict(examination)];
}

function paint(style: Style, state: FindingState): (text: string) => string {
  return { well: style.green, look: style.yellow, wrong: style.red }[state];
}

function renderSum(sum: SpanSum, style: Style): string[] {
  const somewhere = sum.parts.filter(({ spans }) => spans !== 0);
  const parts = somewhere.map(({ name, spans }) => `${formatCount(spans)} ${name}`);
  const missing = missingIn(sum);
  const off = missing === 0 ? "" : style.red(` (${formatDifference(missing)})`);
  const total = style.bold(formatCount(sum.total));
  return [`${sum.of}: ${total} spans ${sum.name} = ${parts.join(" + ") || "0"}${off}`];
}

function formatDifference(missing: number): string {
  return missing > 0 ? `${formatCount(missing)} missing` : `${formatCount(-missing)} too many`;
}

/** Somebody whose sums are missing. */
function isUntold({ subject, state }: Finding): boolean {
  return state === "wrong" && ["agent", "collector"].includes(subject);
}

function verdict({ findings, sums }: Examination): string {
  const off = sums.filter((sum) => missingIn(sum) !== 0);
  const unaccounted = findings.filter(
    ({ subject, state }) => subject === "ledger" && state === "wrong",
  );
  if (sums.length === 0) return "no ledger could be read";
  if (off.length + unaccounted.length === 0) {
    return findings.some(isUntold)
      ? "every span accounted for, as far as the others tell"
      : "every span accounted for";
  }
  const missing = off.reduce((total, sum) => total + Math.abs(missingIn(sum)), 0);
  return missing > 0
    ? `${formatNoun(missing, "span")} not accounted for`
    : "not every span is accounted for";
}
