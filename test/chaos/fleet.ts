/** One collector and some agents as processes, each started again where it was. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { KeySummary, LedgerReport } from "../../wire/api-types.ts";
import {
  type BruntOptions,
  type BruntProcess,
  portOf,
  startBrunt,
} from "../processes/brunt-process.ts";
import { until } from "../processes/wait.ts";
import { type Window, windowMs } from "./oracle.ts";

/** A part that is killed and comes back on the same ports and the same directory. */
export interface Part {
  readonly name: string;
  readonly directory: string;
  readonly port: number;
  readonly process: BruntProcess;
  /** Starts it again; resolves when it is ready, with how long that took. */
  start(): Promise<number>;
  kill(signal: "SIGKILL" | "SIGTERM"): Promise<void>;
}

export interface Fleet {
  readonly directory: string;
  readonly collector: Part;
  readonly agents: readonly Part[];
  /** One more agent; `prepare` may fill its directory first. */
  addAgent(
    name: string,
    prepare: (directory: string) => void,
    options?: BruntOptions,
  ): Promise<Part>;
  /** Spans of the window the collector has under this agent's service. */
  counted(window: Window): Promise<number>;
  ledger(): Promise<LedgerReport>;
  /** Resolves when every stream that was heard lately is complete and every agent's spool empty. */
  drained(withinMs: number): Promise<void>;
  /** As `drained`, and every window is closed: only then is everything `counted`. */
  settled(withinMs: number): Promise<void>;
  remove(): Promise<void>;
}

export interface FleetOptions {
  readonly agents: number;
  /** Where agents send, if not straight to the collector; may be another port each time. */
  readonly collectorUrl?: (port: number) => string;
  /** Where the collector listens. */
  readonly collectorHost?: string;
  readonly collector?: BruntOptions;
  readonly agent?: BruntOptions;
  /** Beside the fleet's own directory. */
  readonly directoryOf?: (name: string) => string;
}

const readyMsMax = 30_000;
/** The agents of a collector have one. */
const hashKey = "0123456789abcdef0123456789abcdef";

export async function startFleet(options: FleetOptions): Promise<Fleet> {
  const directory = mkdtempSync(join(tmpdir(), "brunt-chaos-"));
  const directoryOf = options.directoryOf ?? ((name: string) => join(directory, name));
  const host = options.collectorHost ?? "127.0.0.1";
  const collector = await startPart({
    name: "collector",
    host,
    directory: directoryOf("collector"),
    portField: "port",
    options: withVariable(options.collector ?? {}, "BRUNT_COLLECTOR_HOST", host),
    argv: (port) => ["collector", "--port", String(port)],
  });
  const url = (options.collectorUrl ?? ((port) => `http://${host}:${port}`))(collector.port);
  const startAgent = (name: string, agentOptions: BruntOptions = {}): Promise<Part> =>
    startPart({
      name,
      host: "127.0.0.1",
      directory: directoryOf(name),
      portField: "httpPort",
      options: withVariable(
        withVariable(agentOptions, "BRUNT_AGENT_HASH_KEY", hashKey),
        "BRUNT_AGENT_NAME",
        name,
      ),
      argv: (port) => [
        ...["agent", "--collector", url],
        ...["--http-port", String(port), "--grpc-port", "0"],
      ],
    });
  const names = Array.from({ length: options.agents }, (_, index) => `agent-${index + 1}`);
  const agents = await Promise.all(names.map((name) => startAgent(name, options.agent)));
  const api = `http://${host}:${collector.port}`;
  const ledger = (): Promise<LedgerReport> => read(`${api}/api/v1/ledger`);
  const drained = async (withinMs: number): Promise<void> => {
    let state = "";
    const isDrained = async (): Promise<boolean> => {
      const { streams } = await ledger();
      const missing = streams.map(({ missing: count }) => count);
      const spooled = await Promise.all(agents.map(spooledRecords));
      state = `missing ${missing.join(" ")}, in spools ${spooled.join(" ")}`;
      return [...missing, ...spooled].every((count) => count === 0);
    };
    try {
      await until("every record is at the collector", isDrained, { withinMs, everyMs: 100 });
    } catch (error) {
      throw new Error(`${(error as Error).message}: ${state}`);
    }
  };
  return {
    directory,
    collector,
    agents,
    ledger,
    drained,
    async settled(withinMs) {
      await drained(withinMs);
      const openWindows = (): Promise<number> =>
        metricOf(`${api}/metrics`, "brunt_collector_open_windows");
      await until("every window is closed", async () => (await openWindows()) === 0, { withinMs });
    },
    async addAgent(name, prepare, agentOptions = options.agent) {
      prepare(directoryOf(name));
      const part = await startAgent(name, agentOptions);
      agents.push(part);
      return part;
    },
    async counted({ agent, startMs }) {
      const range = `from=${startMs}&to=${startMs + windowMs}`;
      const keys = await read<readonly KeySummary[]>(
        `${api}/api/v1/keys?service=${agent}&${range}&limit=1000`,
      );
      return keys.reduce((sum, { count }) => sum + count, 0);
    },
    async remove() {
      for (const part of [...agents, collector]) await part.kill("SIGKILL");
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function withVariable(options: BruntOptions, name: string, value: string): BruntOptions {
  return { ...options, environment: { ...options.environment, [name]: value } };
}

interface PartOptions {
  readonly name: string;
  readonly host: string;
  readonly directory: string;
  readonly portField: string;
  readonly options: BruntOptions;
  argv(port: number): readonly string[];
}

async function startPart(about: PartOptions): Promise<Part> {
  const { name, host, directory, portField, options } = about;
  let port = 0;
  let brunt: BruntProcess | undefined;
  const start = async (): Promise<number> => {
    const startMs = performance.now();
    brunt = startBrunt([...about.argv(port), "--data-dir", directory], options);
    port = await portOf(brunt, portField);
    const ready = `http://${host}:${port}/${name === "collector" ? "readyz" : "metrics"}`;
    await until(`${name} is ready`, () => readyAt(ready), { withinMs: readyMsMax, everyMs: 20 });
    return performance.now() - startMs;
  };
  await start();
  return {
    name,
    directory,
    start,
    get port() {
      return port;
    },
    get process() {
      return brunt as BruntProcess;
    },
    async kill(signal) {
      await brunt?.kill(signal);
    },
  };
}

async function spooledRecords({ port }: Part): Promise<number> {
  return metricOf(`http://127.0.0.1:${port}/metrics`, "brunt_agent_spool_records");
}

/** The sum over the labels of a metric. */
export async function metricOf(url: string, name: string): Promise<number> {
  return metricIn(await (await fetch(url)).text(), name);
}

/** As `metricOf`, in the text of a `/metrics`. A name that is not there is a mistake of the row. */
export function metricIn(text: string, name: string): number {
  const lines = text
    .split("\n")
    .filter((line) => line.startsWith(name) && /^[ {]/.test(line.slice(name.length)));
  if (lines.length === 0) throw new Error(`there is no metric ${name}`);
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0);
}

/** Whether the address answers, and well. */
export async function readyAt(url: string): Promise<boolean> {
  try {
    return (await fetch(url)).ok;
  } catch {
    return false;
  }
}

async function read<T>(url: string): Promise<T> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url} answers ${response.status}: ${await response.text()}`);
  return (await response.json()) as T;
}
