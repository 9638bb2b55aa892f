/** `brunt demo`: a real shop, a real fault, and what Brunt makes of it. */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseAgentConfig } from "../../agent/config.ts";
import { createLog, type Log } from "../../base/log.ts";
import { parseCollectorConfig } from "../../collector/config.ts";
import { renderBanner, urlOf } from "../banner.ts";
import { type Brunt, createBrunt } from "../brunt.ts";
import { type DemoOutcome, watchDemo } from "../demo/watch-demo.ts";
import { createWindowRecord, spansDecided, type WindowRecord } from "../demo/window-record.ts";
import type { Arguments } from "../line/arguments.ts";
import { type Command, CommandError } from "../line/command.ts";
import type { Settings } from "../line/settings.ts";
import { commandName, uiDirectory } from "../locations.ts";
import { exitCodes, type System, sleep } from "../system.ts";
import { formatCount, formatDurationMs, formatNoun } from "../terminal/format.ts";
import { createLiveLine, renderBar } from "../terminal/render-progress.ts";

const faultChoices = ["a", "b", "c", "d", "e", "f", "none"] as const;
type FaultChoice = (typeof faultChoices)[number];

export const demoCommand: Command = {
  description: [
    "Starts Brunt and a shop of eleven services on this machine, with a database, a queue and customers. Learns for a minute, switches a fault on, and shows the incident as it forms, beside what the customers' own record says. Brunt sees nothing but the shop's OpenTelemetry spans.",
    "Faults: a errors in one version of payments, for one region and card type; b a slow database behind two services; c a dependency down; d a deploy that is slow for large carts only; e one customer with thousands of errors, which must not page; f a quiet service between cause and symptom.",
    "At a terminal it goes on until Ctrl-C; without one it ends when the incident is confirmed and stable, with exit code 1 when none came.",
  ],
  options: [
    {
      name: "fault",
      kind: "text",
      value: "<letter>",
      help: "what to break",
      default: "a",
      choices: faultChoices,
    },
    {
      name: "learn",
      kind: "integer",
      value: "<seconds>",
      help: "how long to learn what is usual",
      default: "60",
      min: 20,
      max: 3600,
    },
    {
      name: "rate",
      kind: "integer",
      value: "<requests>",
      help: "requests of customers per second",
      default: "40",
      min: 5,
      max: 1000,
    },
    { name: "keep", kind: "flag", help: "go on until Ctrl-C even without a terminal" },
  ],
  examples: [
    { line: "brunt demo", does: "fault a" },
    { line: "brunt demo --fault f --keep", does: "the quiet service, until Ctrl-C" },
  ],
  run: runDemo,
};

type ShopModule = typeof import("../../demo/shop.ts");
type Shop = Awaited<ReturnType<ShopModule["startShop"]>>;

interface Demo {
  readonly args: Arguments;
  readonly system: System;
  readonly brunt: Brunt;
  readonly record: WindowRecord;
  readonly url: string;
}

const defaultPorts = { grpc: 4317, http: 4318, collector: 4319 };
const redrawMs = 200;

async function runDemo(args: Arguments, system: System): Promise<number> {
  const dataDir = mkdtempSync(join(tmpdir(), "brunt-demo-"));
  const { dimensions } = await loadDemo();
  const settings = await demoSettings(system, dataDir, dimensions);
  const record = createWindowRecord();
  const log = warningsTo(system);
  const { clock, disk, randomBytes } = system;
  const brunt = createBrunt({ settings, clock, disk, log, observer: record, randomBytes });
  await brunt.start();
  const url = urlOf("127.0.0.1", brunt.collector.port);
  try {
    return await runShop({ args, system, brunt, record, url });
  } finally {
    await brunt.shutdown();
    rmSync(dataDir, { recursive: true, force: true });
  }
}

async function runShop(demo: Demo): Promise<number> {
  const { stdout } = demo.system;
  stdout.write(`${stdout.style.bold("brunt is up")}\n\n${bannerOf(demo)}\n`);
  const shop = await openShop(demo);
  try {
    return await breakShop(demo, shop);
  } finally {
    stdout.write("closing the shop …\n");
    await shop.shutdown();
  }
}

async function openShop({ args, system, brunt }: Demo): Promise<Shop> {
  const { stdout, clock } = system;
  const line = createLiveLine(stdout, () => clock.nowMs());
  const startedMs = clock.nowMs();
  const { startShop } = await loadDemo();
  const shop = await startShop({
    otlpEndpoint: urlOf("127.0.0.1", brunt.agent.ports.http),
    seed: 1,
    log: warningsTo(system),
    requestsPerSecond: (args.options.get("rate") ?? 40) as number,
    onProgress: (done, total, name) =>
      line.show(`${renderBar(done / total, 20)}  ${done} of ${total} processes up: ${name}`),
  });
  line.clear();
  const took = formatDurationMs(clock.nowMs() - startedMs);
  stdout.write(
    `the shop is open: ${formatNoun(shop.pids.length, "process", "processes")} in ${took}\n`,
  );
  return shop;
}

async function breakShop(demo: Demo, shop: Shop): Promise<number> {
  const { args, system, record } = demo;
  const { stdout, stop } = system;
  await learn(demo);
  if (stop.aborted) return exitCodes.ok;
  const fault = (args.options.get("fault") ?? "a") as FaultChoice;
  const { faults } = await loadDemo();
  const story = fault === "none" ? undefined : faults[fault];
  const faultAtMs = system.clock.nowMs();
  if (story === undefined) {
    stdout.write("no fault is switched on\n\n");
  } else {
    await shop.setFault(fault);
    const { bold, dim } = stdout.style;
    stdout.write(`${bold(`fault ${fault} is on: ${story.title}`)}\n`);
    stdout.write(`${dim(`${story.description}; Brunt is not told`)}\n\n`);
  }
  const keep = stdout.isTty || args.options.get("keep") === true;
  const outcome = await watchDemo({
    url: demo.url,
    story,
    faultAtMs,
    system,
    keep,
    onSettled: (settled) => stdout.write(outcomeText(settled, { ...demo, keep })),
    incidents: () => record.decider.incidents(),
    customersHurt: async (question) => {
      const truth = await shop.truth(question);
      return story?.expected.signal === "slow" ? truth.customersSlow : truth.customersFailed;
    },
  });
  return outcome === "missed" ? exitCodes.failure : exitCodes.ok;
}

/** Until the time is over and there is something to compare with. */
async function learn({ args, system, record }: Demo): Promise<void> {
  const { clock, stdout, stop } = system;
  const learnMs = ((args.options.get("learn") ?? 60) as number) * 1000;
  const line = createLiveLine(stdout, () => clock.nowMs());
  const startedMs = clock.nowMs();
  const elapsedMs = (): number => clock.nowMs() - startedMs;
  const hasBaseline = (): boolean => record.decider.thresholds().items.length > 0;
  while (!stop.aborted && (elapsedMs() < learnMs || !hasBaseline()) && elapsedMs() < 3 * learnMs) {
    const left = Math.max(0, learnMs - elapsedMs());
    line.show(
      `${renderBar(elapsedMs() / learnMs, 20)}  learning what is usual, ${Math.ceil(left / 1000)} s left · ` +
        `${formatCount(spansDecided(record))} spans in ${formatNoun(record.spans.size, "window")} · ${formatCount(record.keysMost)} keys`,
    );
    await sleep(clock, redrawMs, stop);
  }
  line.clear();
  stdout.write(
    `learnt from ${formatNoun(spansDecided(record), "span")} in ${formatNoun(record.spans.size, "window")}, ` +
      `${formatCount(record.keysMost)} keys\n`,
  );
}

function outcomeText(outcome: DemoOutcome, demo: Demo & { readonly keep: boolean }): string {
  const { system, keep } = demo;
  const { bold, dim } = system.stdout.style;
  const told = {
    found: "the incident is confirmed and stable",
    quiet: "no page, as it should be",
    missed: "no confirmed incident came in time",
    stopped: "stopped",
  }[outcome];
  const next = keep
    ? `\nin another terminal\n\n${bannerOf(demo)}\n${dim("  stop with Ctrl-C\n")}`
    : "";
  return `\n${bold(told)}\n${next}`;
}

function bannerOf({ brunt, system }: Demo): string {
  const { grpc, http } = brunt.agent.ports;
  return renderBanner(
    { host: "127.0.0.1", grpcPort: grpc, httpPort: http, port: brunt.collector.port },
    { command: commandName, terminal: system.stdout },
  );
}

async function loadDemo() {
  try {
    const [shop, faults] = await Promise.all([
      import("../../demo/shop.ts"),
      import("../../demo/faults.ts"),
    ]);
    return {
      startShop: shop.startShop,
      faults: faults.faults,
      dimensions: faults.demoDimensions,
    };
  } catch (cause) {
    throw new CommandError(
      `the demo runs from a clone with its development packages: ${(cause as Error).message}`,
      exitCodes.failure,
    );
  }
}

/** The default ports where they are free, so that other commands need no --url. */
async function demoSettings(
  system: System,
  dataDir: string,
  dimensions: readonly string[],
): Promise<Settings> {
  const agent = parseAgentConfig({
    name: "demo",
    hashKey: Buffer.from(system.randomBytes(16)).toString("hex"),
    grpcPort: await freePort(defaultPorts.grpc),
    httpPort: await freePort(defaultPorts.http),
    dimensions,
  });
  const collector = parseCollectorConfig({
    port: await freePort(defaultPorts.collector),
    dataDir,
    uiDir: uiDirectory,
  });
  if (agent.ok && collector.ok) return { agent: agent.value, collector: collector.value };
  throw new Error("the demo's own configuration is not valid");
}

/** `port`, or 0 when somebody has it. */
function freePort(port: number): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(0));
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(port)));
  });
}

/** Routine messages would tear the picture apart. */
function warningsTo({ stderr, clock }: System): Log {
  const log = createLog((line) => stderr.write(`${line}\n`), clock);
  return { info() {}, warn: log.warn, error: log.error };
}
