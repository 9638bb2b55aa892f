/**
 * `brunt replay`: recorded OTLP through the same agent, collector and stages as live traffic, in
 * event time on a virtual clock. Every span is handed over in the second in which it ended, so
 * files and requests may overlap and come in any order.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Clock, createVirtualClock } from "../../base/clock.ts";
import { silentLog } from "../../base/log.ts";
import { createPrng } from "../../base/prng.ts";
import { type Brunt, createBrunt } from "../brunt.ts";
import { createWindowRecord, type WindowRecord } from "../demo/window-record.ts";
import type { Arguments } from "../line/arguments.ts";
import { type Command, CommandError, configOption } from "../line/command.ts";
import { type Settings, settingsOrThrow } from "../line/settings.ts";
import { agentOptions } from "../line/shared-options.ts";
import { type RecordedFormat, readRecording, recordedFormats } from "../replay/recorded-files.ts";
import { type Slice, sliceRequest } from "../replay/slice-request.ts";
import { renderSummary } from "../replay/summary.ts";
import { exitCodes, type System, sleep } from "../system.ts";
import { formatCount, formatNoun, formatTime } from "../terminal/format.ts";
import { createLiveLine, renderBar } from "../terminal/render-progress.ts";

const options = [
  {
    name: "format",
    kind: "text",
    value: "<format>",
    help: "how the files are written",
    default: "auto",
    choices: recordedFormats,
  },
  {
    name: "speed",
    kind: "text",
    value: "<factor>",
    help: "event time per real time: 1 is as recorded, 60 a minute a second, max without a pause",
    default: "max",
  },
  configOption,
  ...agentOptions.filter(({ kind }) => kind === "texts"),
] as const;

export const replayCommand: Command = {
  description: [
    "Reads recorded traces: OTLP/JSON, one request or one a line as the OpenTelemetry Collector's file exporter writes them, or protobuf; any of them gzipped. Nothing is kept afterwards.",
    "Each span is handed over in the second in which it ended, whatever file it is in, so files may overlap and come in any order. All of them are held in memory.",
  ],
  positional: { name: "<file>", countMin: 1, countMax: 10_000 },
  options,
  examples: [
    { line: "brunt replay traces.json.gz", does: "what would have been found" },
    { line: "brunt replay --speed 10 *.json", does: "ten times as fast as it happened" },
  ],
  run: runReplay,
};

const sliceMs = 1_000;
/** After the last span: until its window is sealed, closed and decided. */
const settleMs = 60_000;
/** A longer pause between spans is leapt over. */
const silenceMs = 15 * 60_000;
const bytesMax = 4 * 2 ** 30;
const redrawMs = 100;

/** Seeded: the same files give the same numbers. Nobody attacks a replay. */
function createSeededBytes(): System["randomBytes"] {
  const prng = createPrng(1);
  return (size) => Uint8Array.from({ length: size }, () => prng.integer(256));
}

interface Recordings {
  readonly slices: readonly Slice[];
  readonly spans: number;
  readonly otherSignals: number;
  /** Files without a span. */
  readonly silent: readonly string[];
}

async function runReplay(args: Arguments, system: System): Promise<number> {
  const speed = readSpeed(args);
  const dataDir = mkdtempSync(join(tmpdir(), "brunt-replay-"));
  try {
    const settings = replaySettings(args, system, dataDir);
    const recordings = readAll(args);
    return await replayAll({ args, system, settings, recordings, speed });
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
}

interface Replay {
  readonly args: Arguments;
  readonly system: System;
  readonly settings: Settings;
  readonly recordings: Recordings;
  /** Undefined without a pause. */
  readonly speed: number | undefined;
}

async function replayAll(replay: Replay): Promise<number> {
  const { system, settings, recordings } = replay;
  const { stdout, disk } = system;
  const firstMs = recordings.slices[0]?.startMs ?? 0;
  const lastMs = (recordings.slices.at(-1)?.startMs ?? 0) + sliceMs;
  const clock = createReplayClock(firstMs);
  const record = createWindowRecord();
  const log = silentLog;
  const randomBytes = createSeededBytes();
  const brunt = createBrunt({ settings, clock, disk, log, observer: record, randomBytes });
  const startedMs = system.clock.nowMs();
  await brunt.start();
  const finished = await feed(replay, { brunt, clock, record });
  await brunt.shutdown();
  if (!finished) return exitCodes.interrupted;
  const tookMs = system.clock.nowMs() - startedMs;
  const fileCount = replay.args.positionals.length;
  const totals = { fileCount, spans: recordings.spans, firstMs, lastMs, tookMs };
  stdout.write(renderSummary(record, totals, stdout));
  if (recordings.otherSignals > 0) {
    const left = formatNoun(recordings.otherSignals, "request");
    stdout.write(`${left} of metrics or logs left out\n`);
  }
  for (const path of recordings.silent) stdout.write(`${path} holds no spans\n`);
  return exitCodes.ok;
}

interface Running {
  readonly brunt: Brunt;
  readonly clock: ReplayClock;
  readonly record: WindowRecord;
}

interface ReplayClock extends Clock {
  advance(ms: number): void;
  /** Like a machine that slept: the time is later, and every timer still has as long to go. */
  leap(ms: number): void;
}

function createReplayClock(startMs: number): ReplayClock {
  const running = createVirtualClock(startMs);
  let sleptMs = 0;
  return {
    nowMs: () => running.nowMs() + sleptMs,
    after: running.after,
    advance: running.advance,
    leap(ms) {
      sleptMs += ms;
    },
  };
}

/** False when somebody stopped it. */
async function feed(replay: Replay, running: Running): Promise<boolean> {
  const { system, recordings, speed } = replay;
  const { brunt, clock } = running;
  const progress = createProgress(replay, running);
  for (const slice of recordings.slices) {
    if (system.stop.aborted) return false;
    await advanceTo(slice.startMs + sliceMs, running);
    brunt.agent.ingest(slice.bytes);
    progress(slice.startMs);
    if (speed !== undefined) await sleep(system.clock, sliceMs / speed, system.stop);
  }
  await advanceTo(clock.nowMs() + settleMs, running);
  progress(undefined);
  return true;
}

/** Step by step, so that windows seal and close as they would have; a long silence is left out. */
async function advanceTo(atMs: number, running: Running): Promise<void> {
  const { clock } = running;
  if (atMs - clock.nowMs() > silenceMs) {
    await advanceTo(clock.nowMs() + settleMs, running);
    clock.leap(atMs - settleMs - clock.nowMs());
  }
  while (clock.nowMs() < atMs) await step(running);
}

/** A second passes, and what it set in motion comes to rest. */
async function step({ brunt, clock }: Running): Promise<void> {
  clock.advance(sliceMs);
  await brunt.agent.flush();
  await brunt.collector.settled();
}

/** Redraws at most every `redrawMs`; without a time it clears the line. */
function createProgress({ system, recordings }: Replay, { brunt }: Running) {
  const { clock, stderr } = system;
  const line = createLiveLine(stderr, () => clock.nowMs());
  const startedMs = clock.nowMs();
  let drawnAtMs = -Infinity;
  let done = 0;
  return (atMs: number | undefined): void => {
    if (atMs === undefined) {
      line.clear();
      return;
    }
    done++;
    const now = clock.nowMs();
    if (now - drawnAtMs < redrawMs) return;
    drawnAtMs = now;
    const share = done / recordings.slices.length;
    const spans = brunt.meter.counter("brunt_agent_spans_accepted_total", "").value;
    const perSecond = spans / Math.max(0.001, (now - startedMs) / 1000);
    const percent = `${Math.floor(share * 100)} %`.padStart(5);
    line.show(
      `${renderBar(share, 30)} ${percent}  ${formatCount(perSecond)} spans/s  ${formatTime(atMs)}`,
    );
  };
}

function readAll(args: Arguments): Recordings {
  const format = (args.options.get("format") ?? "auto") as RecordedFormat;
  const slices: Slice[] = [];
  const problems: string[] = [];
  const silent: string[] = [];
  let [spans, otherSignals, bytes] = [0, 0, 0];
  for (const path of args.positionals) {
    const recording = readRecording(path, format);
    if (!recording.ok) {
      problems.push(recording.error);
      continue;
    }
    if (recording.value.spans === 0) silent.push(path);
    spans += recording.value.spans;
    otherSignals += recording.value.otherSignals;
    for (const request of recording.value.requests) {
      bytes += request.length;
      slices.push(...sliceRequest(request, sliceMs));
    }
    if (bytes > bytesMax) {
      problems.push(`the files exceed ${bytesMax / 2 ** 30} GiB; replay them in parts`);
      break;
    }
  }
  if (problems.length > 0) throw new CommandError(problems.join("\n"), exitCodes.failure);
  if (spans === 0) throw new CommandError("the files hold no spans", exitCodes.failure);
  return { slices: slices.sort((a, b) => a.startMs - b.startMs), spans, otherSignals, silent };
}

function readSpeed(args: Arguments): number | undefined {
  const text = (args.options.get("speed") ?? "max") as string;
  if (text === "max") return undefined;
  const factor = Number(text);
  if (factor > 0 && Number.isFinite(factor)) return factor;
  throw new CommandError(
    `--speed must be max or a number above 0, not ${JSON.stringify(text)}`,
    exitCodes.usage,
  );
}

/** No ports of the agent, a free one of the collector, everything in a directory of its own. */
function replaySettings(args: Arguments, system: System, dataDir: string): Settings {
  const hashKey = Buffer.from(createSeededBytes()(16)).toString("hex");
  const { environment } = system;
  const settings = settingsOrThrow({
    args,
    options,
    environment,
    defaults: { agent: { hashKey } },
  });
  return {
    agent: { ...settings.agent, name: "replay", listen: false, spoolDir: "", retrySeconds: 0 },
    collector: { ...settings.collector, host: "127.0.0.1", port: 0, dataDir, uiDir: "" },
  };
}
