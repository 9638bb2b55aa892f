/** What Brunt found, beside what was done and what the customers' own record says. */
import type { AttributeValue, IncidentDetail } from "../../wire/api-types.ts";
import { formatCount, formatDurationMs, formatEstimate, formatTime } from "../terminal/format.ts";
import { printable, type Style } from "../terminal/terminal.ts";

/** What was done, as only the runner of the demo knows it. */
export interface Story {
  readonly title: string;
  readonly description: string;
  readonly expected: {
    readonly cause: string;
    readonly attributes: readonly AttributeValue[];
    readonly signal: "errors" | "slow";
    readonly pages: boolean;
  };
}

export interface Comparison {
  readonly story: Story;
  readonly incident: IncidentDetail;
  /** Customers hurt in the incident's own span of time, by the load generator's record. */
  readonly customersHurt: number;
  readonly faultAtMs: number;
  readonly nowMs: number;
}

const labelWidth = 11;

type Row = readonly [label: string, found: string, truth: string];

export function renderComparison(comparison: Comparison, style: Style): string {
  const { story, incident, customersHurt, faultAtMs, nowMs } = comparison;
  const { customers } = incident.impact;
  const found = whereTexts(incident.combinations[0]?.attributes ?? []);
  const truth = whereTexts(story.expected.attributes);
  const rows: readonly Row[] = [
    ["", "brunt says", "the shop knows"],
    ["cause", printable(incident.cause.name) || "not found", story.expected.cause],
    ...Array.from({ length: Math.max(found.length, truth.length) }, (_, index): Row => {
      return [index === 0 ? "where" : "", found[index] ?? "", truth[index] ?? ""];
    }),
    [
      "customers",
      customers === null ? "unknown" : formatEstimate(customers),
      `${formatCount(customersHurt)}${errorText(customers?.value, customersHurt)}`,
    ],
    ["page", incident.page ? "yes" : "no", story.expected.pages ? "yes" : "no"],
  ];
  const width = Math.max(...rows.map(([, text]) => text.length));
  const [head = "", ...body] = rows.map(
    ([label, text, known]) =>
      `  ${style.cyan(label.padEnd(labelWidth))}${text.padEnd(width)}  ${known}`,
  );
  const after = `${formatDurationMs(nowMs - faultAtMs)} after the fault`;
  const title = `${after}, ${printable(incident.id)} as of ${formatTime(incident.asOfMs)}`;
  return [style.bold(title), style.dim(head), ...body, ""].join("\n");
}

/** In the order of their names, so that equal combinations stand side by side. */
function whereTexts(attributes: readonly AttributeValue[]): string[] {
  if (attributes.length === 0) return ["everywhere"];
  return attributes
    .map(({ dimension, value }) => `${printable(dimension)}=${printable(value)}`)
    .sort();
}

function errorText(found: number | undefined, truth: number): string {
  if (found === undefined || truth === 0) return "";
  const percent = (Math.abs(found - truth) / truth) * 100;
  return ` (off by ${percent.toFixed(1)} %)`;
}
