/**
 * Our own metrics: plain numbers, rendered as Prometheus text (exposition format 0.0.4).
 * Label values come from fixed sets in the code, so the number of series is bounded by the code.
 */
export type Labels = Readonly<Record<string, string>>;

export interface Counter {
  readonly value: number;
  add(count?: number): void;
}

interface Series {
  readonly labels: Labels;
  read(): number;
}

interface Family {
  readonly type: "counter" | "gauge";
  readonly help: string;
  readonly series: Map<string, Series & { counter?: Counter }>;
}

export interface Meter {
  /** The counter of this name and labels; the same one every time. */
  counter(name: string, help: string, labels?: Labels): Counter;
  /** A value read whenever the metrics are; a later registration replaces an earlier one. */
  gauge(name: string, help: string, read: () => number, labels?: Labels): void;
  readonly families: ReadonlyMap<string, Family>;
}

export function createMeter(): Meter {
  const families = new Map<string, Family>();
  const familyOf = (name: string, type: Family["type"], help: string): Family => {
    let family = families.get(name);
    if (family === undefined) {
      family = { type, help, series: new Map() };
      families.set(name, family);
    }
    return family;
  };
  return {
    families,
    counter(name, help, labels = {}) {
      const { series } = familyOf(name, "counter", help);
      const id = labelText(labels);
      const known = series.get(id)?.counter;
      if (known !== undefined) return known;
      const counter = createCounter();
      series.set(id, { labels, counter, read: () => counter.value });
      return counter;
    },
    gauge(name, help, read, labels = {}) {
      familyOf(name, "gauge", help).series.set(labelText(labels), { labels, read });
    },
  };
}

function createCounter(): Counter {
  let value = 0;
  return {
    get value() {
      return value;
    },
    add(count = 1) {
      value += count;
    },
  };
}

/** Every metric of these meters, as Prometheus reads it. */
export function renderPrometheus(...meters: readonly Meter[]): string {
  const lines: string[] = [];
  for (const meter of meters) {
    for (const [name, family] of meter.families) {
      lines.push(`# HELP ${name} ${escapeText(family.help)}`, `# TYPE ${name} ${family.type}`);
      for (const [labels, series] of family.series) lines.push(`${name}${labels} ${series.read()}`);
    }
  }
  return `${lines.join("\n")}\n`;
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(
    ([name, value]) => `${name}="${escapeText(value).replaceAll('"', '\\"')}"`,
  );
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function escapeText(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}
