/**
 * Where an agent's time goes: its process under `node --cpu-prof` while it takes OTLP/HTTP, plain,
 * 512 spans a request, as fast as it can. Self time, by part and by function; idle is left out.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startAgentProcess } from "../agent/agent-process.ts";
import { startLoadProcess } from "../agent/load-process.ts";
import { startNullCollector } from "../agent/null-collector.ts";
import type { Figure, Table } from "../table.ts";

const batch = 512;
const warmRequests = 300;
const requests = 1_200;
const functionsShown = 16;
const spans = (warmRequests + requests) * batch;

interface CallFrame {
  readonly functionName: string;
  readonly url: string;
}

interface CpuProfile {
  readonly nodes: readonly { readonly id: number; readonly callFrame: CallFrame }[];
  readonly samples: readonly number[];
  /** Microseconds since the sample before. */
  readonly timeDeltas: readonly number[];
}

export async function profileArea(): Promise<Table> {
  const selfUs = selfTimes(await profileOfAgent());
  return {
    area: "profile",
    title: "Where the agent's time goes: self time, OTLP/HTTP, plain, 512",
    figures: [...partFigures(selfUs), ...functionFigures(selfUs)],
  };
}

async function profileOfAgent(): Promise<CpuProfile> {
  const directory = mkdtempSync(join(tmpdir(), "brunt-profile-"));
  const collector = await startNullCollector();
  const load = startLoadProcess();
  const agent = await startAgentProcess({
    collectorUrl: collector.url,
    environment: { BRUNT_AGENT_SPANS_REMEMBERED_MAX: "4000000" },
    nodeOptions: ["--cpu-prof", "--cpu-prof-dir", directory],
  });
  const job = { protocol: "http", gzip: false, batch } as const;
  await load.run(agent, { ...job, requests: warmRequests });
  await load.run(agent, { ...job, requests });
  await agent.stop();
  load.stop();
  await collector.close();
  const [file] = readdirSync(directory);
  if (file === undefined) throw new Error("the profiler left nothing");
  const profile = JSON.parse(readFileSync(join(directory, file), "utf8")) as CpuProfile;
  rmSync(directory, { recursive: true });
  return profile;
}

interface SelfTime {
  readonly frame: CallFrame;
  readonly us: number;
}

function selfTimes({ nodes, samples, timeDeltas }: CpuProfile): SelfTime[] {
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]));
  const usByName = new Map<string, { frame: CallFrame; us: number }>();
  for (const [index, id] of samples.entries()) {
    const frame = frames.get(id);
    if (frame === undefined || frame.functionName === "(idle)") continue;
    const name = `${frame.url} ${frame.functionName}`;
    const entry = usByName.get(name) ?? { frame, us: 0 };
    entry.us += Math.max(0, timeDeltas[index] ?? 0);
    usByName.set(name, entry);
  }
  return [...usByName.values()].sort((a, b) => b.us - a.us);
}

function partFigures(times: readonly SelfTime[]): Figure[] {
  const usByPart = new Map<string, number>();
  for (const { frame, us } of times) {
    usByPart.set(partOf(frame), (usByPart.get(partOf(frame)) ?? 0) + us);
  }
  return [...usByPart]
    .sort(([, a], [, b]) => b - a)
    .map(([part, us]) => figureOf(`part.${nameOf(part)}`, part, us));
}

function functionFigures(times: readonly SelfTime[]): Figure[] {
  const seen = new Set<string>();
  return times.slice(0, functionsShown).map(({ frame, us }) => {
    const label = `${frame.functionName || "(anonymous)"} in ${placeOf(frame)}`;
    let metric = `function.${nameOf(label)}`;
    while (seen.has(metric)) metric += "_";
    seen.add(metric);
    return figureOf(metric, label, us);
  });
}

function figureOf(metric: string, label: string, us: number): Figure {
  return { metric, label, value: (us * 1e3) / spans, unit: "ns/span" };
}

/** A folder of ours, two levels deep in the agent, or what else a process does. */
function partOf(frame: CallFrame): string {
  const path = pathOf(frame);
  if (path !== undefined) {
    const folders = path.split("/").slice(0, -1);
    return `${folders.slice(0, 2).join("/")}/`;
  }
  if (frame.functionName === "(garbage collector)") return "garbage collection";
  if (frame.functionName === "(program)") return "outside JavaScript: kernel, libuv, compiler";
  return frame.url.startsWith("node:") ? "Node: streams, http" : "V8 and native functions";
}

function placeOf(frame: CallFrame): string {
  return pathOf(frame) ?? (frame.url === "" ? "V8 and Node" : frame.url);
}

function pathOf({ url }: CallFrame): string | undefined {
  const folders = "base|sketch|wire|agent|cli|bench";
  return new RegExp(`/((?:${folders})/[^?]*)\\.js$`).exec(url)?.[1]?.concat(".ts");
}

function nameOf(label: string): string {
  return label.replace(/[^a-zA-Z0-9]+/g, "_").replace(/^_|_$/g, "");
}
