/** Reads Brunt's own metrics back from their text. */
export interface MetricsText {
  /** The sum over the series of a name that have these labels; undefined when there is none. */
  sum(name: string, labels?: Readonly<Record<string, string>>): number | undefined;
}

interface Series {
  readonly name: string;
  readonly labels: string;
  readonly value: number;
}

const linePattern = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/;

export function parseMetrics(text: string): MetricsText {
  const all: Series[] = [];
  for (const line of text.split("\n")) {
    const [, name, labels = "", value] = linePattern.exec(line) ?? [];
    if (name !== undefined) all.push({ name, labels, value: Number(value) });
  }
  return {
    sum(name, labels = {}) {
      const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
      const found = all.filter(
        (series) => series.name === name && wanted.every((pair) => series.labels.includes(pair)),
      );
      if (found.length === 0) return undefined;
      return found.reduce((total, { value }) => total + value, 0);
    },
  };
}
