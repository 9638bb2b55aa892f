/**
 * What an area of the benchmark found: one row a figure, ours beside the rivals' of the same run.
 *
 *   area.metric         our figure in the flat JSON
 *   area.metric.rival   a rival's
 *   area.metric.low     where its interval begins; high: where it ends
 */
export interface Figure {
  /** Unique within its area: letters, digits, dots and underscores. */
  readonly metric: string;
  readonly label: string;
  readonly value: number;
  readonly unit: string;
  /** Where 95 of 100 repetitions with other cases would lie. */
  readonly interval?: readonly [low: number, high: number];
  readonly rivals?: Readonly<Record<string, number>>;
  readonly goal?: Goal;
}

/** A bound on the figure: at most, or at least. */
export type Goal = { readonly max: number } | { readonly min: number };

export interface Table {
  readonly area: string;
  readonly title: string;
  readonly figures: readonly Figure[];
}

const missing = "";

export function isMet(figure: Figure): boolean | undefined {
  const { goal, value } = figure;
  if (goal === undefined) return undefined;
  return "max" in goal ? value <= goal.max : value >= goal.min;
}

/** For a terminal: columns padded to the widest cell. */
export function renderText(table: Table): string {
  const rows = rowsOf(table);
  const widths = (rows[0] as string[]).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] as string).length)),
  );
  const lines = rows.map((row) =>
    row
      .map((cell, column) => {
        const width = widths[column] as number;
        return column === 0 ? cell.padEnd(width) : cell.padStart(width);
      })
      .join("  ")
      .trimEnd(),
  );
  return `${table.title}\n${lines.join("\n")}\n`;
}

/** For docs/performance.md. */
export function renderMarkdown(table: Table): string {
  const [head = [], ...body] = rowsOf(table);
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const rule = head.map((_, column) => (column === 0 ? "---" : "---:"));
  return `${[head, rule, ...body].map(line).join("\n")}\n`;
}

/** The same as one flat object. */
export function flatten(tables: readonly Table[]): Record<string, number> {
  const flat: Record<string, number> = {};
  for (const { area, figures } of tables) {
    for (const { metric, value, interval, rivals = {} } of figures) {
      flat[`${area}.${metric}`] = value;
      if (interval !== undefined) {
        [flat[`${area}.${metric}.low`], flat[`${area}.${metric}.high`]] = interval;
      }
      for (const [rival, figure] of Object.entries(rivals)) {
        flat[`${area}.${metric}.${rival}`] = figure;
      }
    }
  }
  return flat;
}

function rowsOf({ figures }: Table): string[][] {
  const rivals = [...new Set(figures.flatMap((figure) => Object.keys(figure.rivals ?? {})))];
  const hasGoals = figures.some((figure) => figure.goal !== undefined);
  const hasIntervals = figures.some((figure) => figure.interval !== undefined);
  const head = [
    "",
    "brunt",
    ...(hasIntervals ? ["95 %"] : []),
    "unit",
    ...rivals,
    ...(hasGoals ? ["goal", ""] : []),
  ];
  const body = figures.map((figure) => [
    figure.label,
    showNumber(figure.value),
    ...(hasIntervals ? [figure.interval?.map((one) => showNumber(one)).join("-") ?? missing] : []),
    figure.unit,
    ...rivals.map((rival) => showRival(figure, rival)),
    ...(hasGoals ? [showGoal(figure.goal), showVerdict(figure)] : []),
  ]);
  return [head, ...body];
}

/** A rival's figure, and how many times ours it is. */
function showRival({ value, rivals }: Figure, rival: string): string {
  const theirs = rivals?.[rival];
  if (theirs === undefined || Number.isNaN(theirs)) return missing;
  const ratio = value === 0 ? missing : ` (${showNumber(theirs / value, 2)}x)`;
  return `${showNumber(theirs)}${ratio}`;
}

function showGoal(goal: Goal | undefined): string {
  if (goal === undefined) return missing;
  return "max" in goal ? `<= ${showNumber(goal.max, 5)}` : `>= ${showNumber(goal.min, 5)}`;
}

function showVerdict(figure: Figure): string {
  const met = isMet(figure);
  return met === undefined ? missing : met ? "met" : "missed";
}

/** Three digits that count, thousands apart. */
function showNumber(value: number, digits = 3): string {
  if (!Number.isFinite(value)) return String(value);
  const rounded = Number(value.toPrecision(digits));
  return Math.abs(rounded) >= 1_000
    ? Math.round(Math.abs(rounded) >= 10 ** digits ? value : rounded).toLocaleString("en-US")
    : String(rounded);
}
