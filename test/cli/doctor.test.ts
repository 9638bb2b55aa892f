/** The doctor on a real Brunt whose time is the test's, well and then with one thing wrong. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { parseAgentConfig } from "../../agent/config.ts";
import { createVirtualClock, type VirtualClock } from "../../base/clock.ts";
import type { Disk } from "../../base/disk.ts";
import { silentLog } from "../../base/log.ts";
import { createPrng } from "../../base/prng.ts";
import { type Brunt, createBrunt } from "../../cli/brunt.ts";
import { commands } from "../../cli/commands.ts";
import { parseMetrics } from "../../cli/doctor/prometheus-text.ts";
import { runCli } from "../../cli/line/run-cli.ts";
import { nodeDisk } from "../../cli/node-disk.ts";
import { parseCollectorConfig } from "../../collector/config.ts";
import { encodeSketchBatch } from "../../wire/sketch-batch.ts";
import { createMemorySystem } from "./memory-system.ts";
import { asProtobuf, callsAsJson, recordingStartMs } from "./recorded-otlp.ts";

/** A call is two spans. */
const calls = 30;
const spans = 2 * calls;
const otherStream = {
  streamId: "ffeeddccbbaa99887766554433221100",
  seq: 3,
  streamSpans: 89,
  agent: "edge-7",
  watermarkMs: 0,
  hashKeyId: "",
  thresholdsRevision: 0,
  windowLengthMs: 10_000,
};

let dataDir: string;
let clock: VirtualClock;
let brunt: Brunt;

beforeEach(async () => {
  dataDir = mkdtempSync(join(tmpdir(), "brunt-doctor-"));
  clock = createVirtualClock(recordingStartMs);
  brunt = assemble();
  await brunt.start();
  brunt.agent.ingest(asProtobuf(callsAsJson({ count: calls, stepMs: 100, firstId: 1 })));
  await pass(30);
});

afterEach(async () => {
  await brunt.shutdown();
  rmSync(dataDir, { recursive: true });
});

function assemble(): Brunt {
  const agent = parseAgentConfig({
    ...{ name: "node-1", grpcPort: 0, httpPort: 0, spoolDir: join(dataDir, "spool") },
    hashKey: "00112233445566778899aabbccddeeff",
  });
  const collector = parseCollectorConfig({
    dataDir: join(dataDir, "collector"),
    port: 0,
    uiDir: "",
  });
  if (!agent.ok || !collector.ok) throw new Error("the test's configuration is not valid");
  const prng = createPrng(31);
  return createBrunt({
    settings: { agent: agent.value, collector: collector.value },
    ...{ clock, disk: nodeDisk, log: silentLog },
    randomBytes: (size) => Uint8Array.from({ length: size }, () => prng.integer(256)),
  });
}

async function pass(seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second++) {
    clock.advance(1_000);
    await brunt.agent.flush();
    await brunt.collector.settled();
  }
}

interface Outcome {
  readonly code: number;
  readonly out: string;
}

/** What the doctor says; room on the disk is the test's. */
async function check(more: readonly string[] = [], freeShare = 0.5): Promise<Outcome> {
  const disk: Disk = {
    ...nodeDisk,
    room: async () => ({ freeBytes: freeShare * 1e12, totalBytes: 1e12 }),
  };
  const system = { ...createMemorySystem(), clock, disk };
  const argv = [
    "doctor",
    ...["--url", `http://127.0.0.1:${brunt.collector.port}/`],
    ...["--agent-url", `http://127.0.0.1:${brunt.agent.ports.http}`],
    ...["--data-dir", dataDir],
    ...more,
  ];
  const code = await runCli(argv, { commands, version: "1" }, system);
  return { code, out: system.out() };
}

function filesBelow(directory: string, pattern: RegExp): string[] {
  return readdirSync(directory, { recursive: true, encoding: "utf8" })
    .filter((name) => pattern.test(name))
    .map((name) => join(directory, name));
}

function flipByte(path: string, at: (size: number) => number): void {
  const bytes = readFileSync(path);
  const index = at(bytes.length);
  bytes[index] = (bytes[index] as number) ^ 0x10;
  writeFileSync(path, bytes);
}

describe("while all is well", () => {
  test("every span is accounted for", async () => {
    const { code, out } = await check();
    expect(out.split("\n").filter((line) => /^[x!] /.test(line))).toEqual([]);
    expect(out).toMatch(/: 60 spans received = 60 sealed\n/);
    expect(out).toMatch(/: 60 spans sealed = 60 acknowledged\n/);
    expect(out).toMatch(/collector: 60 spans sealed by agents = 60 applied\n/);
    expect(out).toMatch(/spool on disk +\S+ holds \d+ records? of 60 spans/);
    expect(out.trim().split("\n").at(-1)).toBe("every span accounted for");
    expect(code).toBe(0);
  });

  test("spans on their way are accounted for too", async () => {
    brunt.agent.ingest(
      asProtobuf(callsAsJson({ count: 4, stepMs: 1, firstId: 900, offsetMs: 30_000 })),
    );
    const { code, out } = await check();
    expect(out).toMatch(/: 68 spans received = 8 in open windows \+ 60 sealed\n/);
    expect(code).toBe(0);
  });

  test("the same for another program", async () => {
    const { code, out } = await check(["--json"]);
    const report = JSON.parse(out);
    expect(report).toMatchObject({ wrong: false, ledger: { totals: { appliedSpans: spans } } });
    expect(report.findings.every((finding: { state: string }) => finding.state === "well")).toBe(
      true,
    );
    expect(code).toBe(0);
  });
});

describe("ends with 1", () => {
  async function expectWrong(pattern: RegExp, outcome: Promise<Outcome>): Promise<string> {
    const { code, out } = await outcome;
    expect(out).toMatch(pattern);
    expect(code).toBe(1);
    return out;
  }

  test("when the collector does not answer", async () => {
    const { port } = brunt.collector;
    await brunt.collector.shutdown();
    const wrong = /^x {2}collector .*does not answer at http:.*ECONNREFUSED/m;
    expect(await expectWrong(wrong, check())).toMatch(/accounted for, as far as the others tell$/m);
    expect(port).toBeGreaterThan(0);
  });

  test("when no agent answers, unless none is to be looked at", async () => {
    const { http } = brunt.agent.ports;
    await brunt.agent.shutdown();
    await expectWrong(/^x {2}agent .*does not answer/m, check());
    expect((await check(["--agent-url", "off"])).out).toContain(`:${http}`);
  });

  test("when something else answers for the agent", () =>
    expectWrong(
      /^x {2}agent .*no agent, though something answers/m,
      check(["--agent-url", `http://127.0.0.1:${brunt.collector.port}/api/v1/openapi.json?`]),
    ));

  test("when an agent sealed more than ever came, and says that it has nothing left", async () => {
    await brunt.collector.link.send(
      encodeSketchBatch({ ...otherStream, kind: "heartbeat", oldestSeq: 4, question: 1 }),
    );
    const out = await expectWrong(
      /^x {2}ledger .*89 spans of agent edge-7 .*neither here/m,
      check(),
    );
    expect(out).toMatch(/149 spans sealed by agents = 60 applied \(89 missing\)/);
    expect(out.trim().split("\n").at(-1)).toBe("89 spans not accounted for");
  });

  test("when records of an agent are long overdue, not while they may still come", async () => {
    await brunt.collector.link.send(
      encodeSketchBatch({ ...otherStream, kind: "heartbeat", oldestSeq: 1, question: 2 }),
    );
    const soon = await check();
    expect(soon.out).toMatch(/^! {2}ledger .*3 records of agent edge-7 .*still to come/m);
    expect(soon.out).toMatch(/149 spans sealed by agents = 60 applied \+ 89 still to come\n/);
    expect(soon.code).toBe(0);
    await pass(15);
    expect((await check()).out).toMatch(/^! {2}agents .*1 agent silent; the others carry 97 %/m);
    await pass(600);
    await expectWrong(
      /^x {2}ledger .*3 records of agent edge-7 .*never came; .*heard last/m,
      check(),
    );
  });

  test("not for a stream that two processes had, but it says so", async () => {
    const { link } = brunt.collector;
    const gap = { ...otherStream, kind: "gap" as const, gapFromMs: 1, gapToMs: 2 };
    await link.send(encodeSketchBatch(gap));
    const other = encodeSketchBatch({ ...gap, gapToMs: 3 });
    await expect(link.send(other)).rejects.toMatchObject({ code: "STREAM_FORKED" });
    const { code, out } = await check();
    expect(out).toMatch(/^! {2}ledger .*two processes numbered records of agent edge-7/m);
    expect(out).toMatch(/149 spans sealed by agents = 60 applied \+ 89 of forked streams/);
    expect(code).toBe(0);
  });

  test("when a record in the spool is damaged", async () => {
    const [file] = filesBelow(join(dataDir, "spool"), /\.spool$/);
    flipByte(file as string, () => 40);
    await expectWrong(/^x {2}spool on disk .*1 damaged record/m, check());
  });

  test("when a stored window is damaged", async () => {
    const [file] = filesBelow(join(dataDir, "collector", "windows"), /\d\.\w+$/);
    flipByte(file as string, (size) => Math.floor(size / 2));
    await expectWrong(/^x {2}store on disk .*1 damaged record/m, check());
  });

  test("not when the store has put a damaged file aside, but it says so", async () => {
    writeFileSync(join(dataDir, "collector", "windows", "1.1.window.damaged"), "rubbish");
    const { code, out } = await check();
    expect(out).toMatch(/^! {2}store on disk .*1 damaged file put aside/m);
    expect(code).toBe(0);
  });

  test("when the disk is full; when it is nearly so it only says it", async () => {
    await expectWrong(/^x {2}spool on disk .*8.8 GiB of 931 GiB free/m, check([], 0.0095));
    const nearly = await check([], 0.09);
    expect(nearly.out).toMatch(/^! {2}spool on disk .*free/m);
    expect(nearly.code).toBe(0);
  });
});

describe("metrics are read back", () => {
  const text = [
    "# HELP a help",
    "# TYPE a counter",
    'a{reason="x",level="1"} 2',
    'a{reason="y"} 3.5',
    "b 1e3",
    "not a metric",
  ].join("\n");

  test.each<[string, Record<string, string> | undefined, number | undefined]>([
    ["a", undefined, 5.5],
    ["a", { reason: "x" }, 2],
    ["a", { reason: "z" }, undefined],
    ["b", undefined, 1_000],
    ["c", undefined, undefined],
  ])("%s %j", (name, labels, value) => expect(parseMetrics(text).sum(name, labels)).toBe(value));
});
