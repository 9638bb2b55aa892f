/** A worker's metrics, told to its parent, which shows the sums over all workers. */
import type { Labels, Meter } from "../../base/meter.ts";
import type { Figure } from "./messages.ts";

/** Gives what there is to tell: a counter's growth since the last call, a gauge as it is. */
export function createFigureTeller(meter: Meter): () => Figure[] {
  const told = new Map<string, number>();
  return () => {
    const figures: Figure[] = [];
    for (const [name, { type, help, series }] of meter.families) {
      for (const [id, { labels, read }] of series) {
        const value = read();
        const before = type === "counter" ? (told.get(name + id) ?? 0) : 0;
        if (type === "counter") told.set(name + id, value);
        figures.push({ kind: type, name, help, labels, value: value - before });
      }
    }
    return figures;
  };
}

export interface FigureBook {
  add(owner: number, figures: readonly Figure[]): void;
  /** The sum of a gauge without labels. */
  valueOf(name: string): number;
  /** A worker has ended: what it counted stays, what it held does not. */
  forget(owner: number): void;
}

export function createFigureBook(meter: Meter): FigureBook {
  const gauges = new Map<string, Map<number, number>>();
  const valuesOf = ({ name, help, labels }: Figure): Map<number, number> => {
    const id = idOf(name, labels);
    let values = gauges.get(id);
    if (values === undefined) {
      const byOwner = new Map<number, number>();
      meter.gauge(name, help, () => sumOf(byOwner), labels);
      gauges.set(id, byOwner);
      values = byOwner;
    }
    return values;
  };
  return {
    add(owner, figures) {
      for (const figure of figures) {
        const { kind, name, help, labels, value } = figure;
        if (kind === "counter") meter.counter(name, help, labels).add(value);
        else valuesOf(figure).set(owner, value);
      }
    },
    valueOf: (name) => sumOf(gauges.get(idOf(name, {})) ?? new Map()),
    forget(owner) {
      for (const values of gauges.values()) values.delete(owner);
    },
  };
}

function idOf(name: string, labels: Labels): string {
  return name + JSON.stringify(labels);
}

function sumOf(byOwner: ReadonlyMap<number, number>): number {
  return [...byOwner.values()].reduce((total, value) => total + value, 0);
}
