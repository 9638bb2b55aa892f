/**
 * A network of its own for a row: a namespace for the row and its agents, one for the collector,
 * and a link between them that can be cut, made lossy or narrow. Nothing outside is touched, and
 * everything is gone when the row ends.
 *
 *   agents 10.231.0.2 ── veth ── 10.231.0.1 collector
 */
import { execFile, execFileSync, spawnSync } from "node:child_process";
import { promisify } from "node:util";
import type { Row } from "../scoreboard-row.ts";

export interface NetworkWorld {
  readonly collectorAddress: string;
  /** Runs a program where the collector is. */
  readonly collectorWrapper: readonly string[];
  /** What a GET at the collector's own side answers, also while nothing passes the link. */
  readAtCollector(url: string): Promise<string>;
  /** Replaces what is done to packets between the two. */
  impair(impairment: Impairment): void;
}

export type Impairment =
  | "none"
  /** Nothing passes, in either direction, and nobody is told. */
  | "cut"
  /** The collector's end of the link goes down: connections stay half open. */
  | "down"
  /** So many of a hundred packets are dropped. */
  | { readonly lossPercent: number }
  | { readonly kilobitsPerSecond: number };

const collectorAddress = "10.231.0.1";
const agentAddress = "10.231.0.2";
/** Not one of `BRUNT_…`, which the product reads as its own configuration and refuses. */
const variable = "CHAOS_NETWORK_WORLD";

/**
 * Runs `work` in a world made for it: this program once more, inside, with the same arguments. Gives
 * undefined outside, and where namespaces cannot be made or nft and tc are absent.
 */
export async function inWorldOfItsOwn(
  row: string,
  work: (world: NetworkWorld) => Promise<Row>,
): Promise<Row | undefined> {
  const current = process.env[variable];
  if (current !== undefined) return work(worldOf(current));
  const name = `brunt${process.pid}`;
  const problem = make(name);
  if (problem === undefined) runAgain(name, row);
  else process.stderr.write(`${row}: left out, no network of its own here: ${problem}\n`);
  unmake(name);
  return undefined;
}

function worldOf(name: string): NetworkWorld {
  return {
    collectorAddress,
    collectorWrapper: inside(`${name}c`),
    readAtCollector: (url) => readInside(`${name}c`, url),
    impair: (impairment) => impair(`${name}c`, impairment),
  };
}

function runAgain(name: string, row: string): void {
  const [program = "", ...argv] = process.argv.slice(1);
  const options = argv.filter((argument) => argument.startsWith("--"));
  const line = [...inside(`${name}a`), process.execPath, program, row, ...options];
  const environment = { ...process.env, [variable]: name };
  const [start, ...rest] = line as [string, ...string[]];
  const { status } = spawnSync(start, rest, { stdio: "inherit", env: environment });
  if (status !== 0) process.exitCode = 1;
}

const getAndPrint = "fetch(process.argv[1]).then(async (r) => console.log(await r.text()))";

async function readInside(space: string, url: string): Promise<string> {
  const [program = "", ...argv] = [...inside(space), process.execPath, "-e", getAndPrint, url];
  return (await promisify(execFile)(program, argv)).stdout;
}

function inside(space: string): readonly string[] {
  return ["ip", "netns", "exec", space];
}

/** Gives what went wrong. */
function make(name: string): string | undefined {
  const [agents, collector] = [`${name}a`, `${name}c`];
  try {
    run("ip", "netns", "add", agents);
    run("ip", "netns", "add", collector);
    run("ip", "link", "add", agents, "netns", agents, "type", "veth", "peer", collector);
    run("ip", "link", "set", collector, "netns", collector);
    bringUp(agents, agentAddress);
    bringUp(collector, collectorAddress);
    run(...inside(collector), "nft", "list", "ruleset");
    run(...inside(collector), "tc", "qdisc", "show");
    return undefined;
  } catch (error) {
    return (error as Error).message.trim();
  }
}

function unmake(name: string): void {
  quietly("ip", "netns", "del", `${name}a`);
  quietly("ip", "netns", "del", `${name}c`);
}

/** A link has the name of the namespace it is in. */
function bringUp(space: string, address: string): void {
  run(...inside(space), "ip", "addr", "add", `${address}/24`, "dev", space);
  run(...inside(space), "ip", "link", "set", space, "up");
  run(...inside(space), "ip", "link", "set", "lo", "up");
}

function impair(space: string, impairment: Impairment): void {
  const within = (...line: string[]): void => run(...inside(space), ...line);
  within("ip", "link", "set", space, impairment === "down" ? "down" : "up");
  within("nft", "flush", "ruleset");
  quietly(...inside(space), "tc", "qdisc", "del", "dev", space, "root");
  if (impairment === "none" || impairment === "down") return;
  if (typeof impairment === "object" && "kilobitsPerSecond" in impairment) {
    const rate = `${impairment.kilobitsPerSecond}kbit`;
    const shape = ["rate", rate, "burst", "16kb", "latency", "400ms"];
    within("tc", "qdisc", "add", "dev", space, "root", "tbf", ...shape);
    return;
  }
  const chance = impairment === "cut" ? [] : lossOf(impairment.lossPercent);
  within("nft", "add", "table", "inet", "brunt");
  for (const [hook, name] of [
    ["input", "iifname"],
    ["output", "oifname"],
  ] as const) {
    const chain = ["{", "type", "filter", "hook", hook, "priority", "0", ";", "}"];
    within("nft", "add", "chain", "inet", "brunt", hook, ...chain);
    within("nft", "add", "rule", "inet", "brunt", hook, name, space, ...chance, "drop");
  }
}

function lossOf(percent: number): string[] {
  return ["numgen", "random", "mod", "100", "<", String(percent)];
}

function run(...line: readonly string[]): void {
  execFileSync(line[0] as string, line.slice(1), { stdio: ["ignore", "ignore", "pipe"] });
}

function quietly(...line: readonly string[]): void {
  try {
    run(...line);
  } catch {
    // What is not there need not be removed.
  }
}
