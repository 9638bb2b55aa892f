/**
 * PetShop: five-minute metrics of the parts of a shop, by `part, metric, statistic`, who calls whom
 * as a matrix of callers by callees, hours without trouble, and issues of a few windows each.
 */
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { readJson, readText } from "../read-data.ts";

export interface PetShopMetrics {
  readonly timesMs: readonly number[];
  /** `part\tmetric\tstatistic` -> value by window; NaN is missing. */
  readonly values: ReadonlyMap<string, readonly number[]>;
}

export interface PetShopTarget {
  readonly node: string;
  readonly metric: string;
  readonly statistic: string;
  readonly onsetMs: number;
}

interface PetShopIssue {
  readonly name: string;
  readonly metrics: PetShopMetrics;
  readonly target: PetShopTarget;
  readonly cause: string;
}

export interface PetShopScenario {
  readonly name: string;
  readonly edges: readonly { readonly caller: string; readonly callee: string }[];
  readonly normal: PetShopMetrics;
  readonly issues: readonly PetShopIssue[];
}

interface TargetFile {
  readonly target: { node: string; metric: string; agg: string; timestamp: number };
  readonly root_cause: { node: string };
}

export const petShopWindowMs = 300_000;
const msPerSecond = 1_000;

/** Every folder with a graph and hours without trouble. */
export function readPetShop(data: string): PetShopScenario[] {
  return readdirSync(data)
    .sort()
    .filter((name) => existsSync(join(data, name, "graph.csv.gz")))
    .filter((name) => existsSync(join(data, name, "noissue", "metrics.csv.gz")))
    .map((name) => ({
      name,
      edges: readEdges(join(data, name, "graph.csv")),
      normal: readMetrics(join(data, name, "noissue", "metrics.csv")),
      issues: readdirSync(join(data, name))
        .sort()
        .flatMap((split) => readIssues(join(data, name, split))),
    }));
}

export function metricKey(node: string, metric: string, statistic: string): string {
  return [node, metric, statistic].join("\t");
}

/** The windows from `from` up to `to`. */
export function sliceMetrics(metrics: PetShopMetrics, from: number, to?: number): PetShopMetrics {
  return {
    timesMs: metrics.timesMs.slice(from, to),
    values: new Map([...metrics.values].map(([key, values]) => [key, values.slice(from, to)])),
  };
}

function readIssues(folder: string): PetShopIssue[] {
  if (!statSync(folder).isDirectory()) return [];
  return readdirSync(folder)
    .sort()
    .filter((issue) => existsSync(join(folder, issue, "target.json")))
    .map((issue) => {
      const path = join(folder, issue);
      const { target, root_cause } = readJson<TargetFile>(join(path, "target.json"));
      return {
        name: path,
        metrics: readMetrics(join(path, "metrics.csv")),
        target: {
          node: target.node,
          metric: target.metric,
          statistic: target.agg,
          onsetMs: target.timestamp * msPerSecond,
        },
        cause: root_cause.node,
      };
    });
}

function readEdges(path: string): { caller: string; callee: string }[] {
  const [head = [], ...rows] = readCells(path);
  return rows.flatMap(([caller = "", ...marks]) =>
    marks.flatMap((mark, at) =>
      Number(mark) > 0 ? [{ caller, callee: head[at + 1] as string }] : [],
    ),
  );
}

function readMetrics(path: string): PetShopMetrics {
  const [nodes = [], metrics = [], statistics = [], ...rest] = readCells(path);
  const rows = rest.filter(([time = ""]) => Number.isFinite(Number.parseFloat(time)));
  const values = new Map<string, number[]>();
  for (let column = 1; column < nodes.length; column++) {
    const key = metricKey(nodes[column] ?? "", metrics[column] ?? "", statistics[column] ?? "");
    values.set(
      key,
      rows.map((row) => Number.parseFloat(row[column] ?? "")),
    );
  }
  return { timesMs: rows.map(([time]) => Number(time) * msPerSecond), values };
}

function readCells(path: string): string[][] {
  return readText(path)
    .trim()
    .split(/\r?\n/)
    .map((line) => line.split(","));
}
