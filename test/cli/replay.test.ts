import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, describe, expect, test, vi } from "vitest";
import { commands } from "../../cli/commands.ts";
import { runCli } from "../../cli/line/run-cli.ts";
import { readRecording } from "../../cli/replay/recorded-files.ts";
import { sliceRequest } from "../../cli/replay/slice-request.ts";
import { createAttributeSlots } from "../../wire/attribute-slots.ts";
import { readTraces } from "../../wire/read-traces.ts";
import {
  createTraceTable,
  endMs,
  findSlot,
  resourceColumn,
  resourceWords,
  spanIdAt,
  spanWords,
} from "../../wire/trace-table.ts";
import { validateTraces } from "../../wire/validate-traces.ts";
import { createMemorySystem } from "./memory-system.ts";
import { asProtobuf, callsAsJson, recordingStartMs } from "./recorded-otlp.ts";

const folder = mkdtempSync(join(tmpdir(), "brunt-replay-test-"));
afterAll(() => rmSync(folder, { recursive: true }));

function write(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

/** Runs `brunt replay` over these paths. */
async function check(paths: readonly string[]) {
  const system = createMemorySystem();
  const argv = ["replay", ...paths];
  const code = await runCli(argv, { commands, version: "0" }, system);
  return { code, out: system.out(), err: system.err() };
}

const minute = callsAsJson({ count: 120, stepMs: 500 });
const line = JSON.stringify(minute);

function lengthPrefixed(request: Uint8Array): Uint8Array {
  const size = Buffer.alloc(4);
  size.writeUInt32BE(request.length);
  return Buffer.concat([size, request]);
}

describe("formats", () => {
  const other = callsAsJson({ count: 3, stepMs: 10, firstId: 1000 });
  const metrics = JSON.stringify({ resourceMetrics: [] });
  const binary = asProtobuf(minute);
  test.each<[string, string | Uint8Array, number, number, number]>([
    ["one JSON request", line, 1, 240, 0],
    ["pretty-printed", JSON.stringify(minute, null, 2), 1, 240, 0],
    ["white space before", `\n  ${line}`, 1, 240, 0],
    ["JSON lines", `${line}\n${JSON.stringify(other)}\n\n`, 2, 246, 0],
    ["lines of other signals", `${metrics}\n${line}\n${metrics}`, 1, 240, 2],
    ["gzip", gzipSync(line), 1, 240, 0],
    ["protobuf", binary, 1, 240, 0],
    ["length-prefixed protobuf", Buffer.concat([binary, binary].map(lengthPrefixed)), 2, 480, 0],
    ["gzipped protobuf", gzipSync(binary), 1, 240, 0],
    ["an empty object", "{}", 1, 0, 0],
  ])("%s", (name, content, requests, spans, otherSignals) => {
    const recording = readRecording(write(name, content), "auto");
    expect(
      recording.ok && { ...recording.value, requests: recording.value.requests.length },
    ).toEqual({ requests, spans, otherSignals });
  });

  test.each<[string, string | Uint8Array, string]>([
    ["JSON cut short", line.slice(0, -5), "malformed JSON"],
    ["the second line cut short", `${line}\n{"resourceSpans"`, "request 2:"],
    ["protobuf cut short", asProtobuf(minute).subarray(0, -3), "protobuf cut short:"],
    ["gzip cut short", gzipSync(line).subarray(0, 40), "cannot unpack"],
    ["zstd", Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0), "compressed with zstd"],
    ["noise", "hello", "noise:"],
  ])("%s is refused with its place", (name, content, message) => {
    const recording = readRecording(write(name, content), "auto");
    expect(recording.ok ? "" : recording.error).toContain(message);
  });
});

describe("slices", () => {
  const slots = createAttributeSlots(["service.name"]);

  /** Each span as its id, its end and where its service's name says it came from. */
  function spansOf(bytes: Uint8Array): string[] {
    const table = createTraceTable();
    expect(readTraces(bytes, slots, table).ok).toBe(true);
    const found: string[] = [];
    for (let span = 0; span < table.spanCount * spanWords; span += spanWords) {
      const resource = (table.spans[span + resourceColumn] as number) * resourceWords;
      const [from = 0, to = 0] = table.resources.subarray(resource);
      const rows = table.resourceAttributes;
      const [, start, end] = rows.words.subarray(findSlot(rows, from, to, 0));
      const service = Buffer.from(bytes.subarray(start, end)).toString("latin1");
      const idLow = table.view.getUint32((table.spans[span + spanIdAt] as number) + 4);
      found.push(`${idLow} ${endMs(table, span)} ${service}`);
    }
    return found;
  }

  test.each([1, 777, 1_000, 3_600_000])("of %s ms hold each span once, in its own time", (ms) => {
    const request = asProtobuf(minute);
    const slices = sliceRequest(request, ms);
    for (const { startMs, bytes } of slices) {
      expect(validateTraces(bytes).ok).toBe(true);
      for (const text of spansOf(bytes)) {
        const end = Number(text.split(" ")[1]);
        expect(end >= startMs && end < startMs + ms).toBe(true);
      }
    }
    const parts = slices.flatMap(({ bytes }) => spansOf(bytes));
    expect(parts.sort()).toEqual(spansOf(request).sort());
    expect(slices.map(({ startMs }) => startMs)).toEqual(
      slices.map(({ startMs }) => startMs).sort((a, b) => a - b),
    );
  });
});

describe("end to end", () => {
  test("every span is decided and every call counted", async () => {
    const { code, out, err } = await check([write("minute.json", line)]);
    expect(code).toBe(0);
    expect(out).toContain("replayed 240 spans of 1 file");
    expect(out).toContain("decided    240 spans in");
    expect(out).not.toContain("refused");
    expect(out).toContain("event time 2024-05-01 12:00:00Z to 2024-05-01 12:01:00Z");
    expect(out).toMatch(/web → api\s+120 calls · 0 % failed/);
    expect(out).toContain("incidents  none");
    expect(err).toContain("spans/s");
  });

  test("files that overlap, in any order, with months between others", async () => {
    const later = line.replaceAll(`"${recordingStartMs / 1e6}`.slice(0, 5), `"18145`);
    const overlapping = JSON.stringify(callsAsJson({ count: 60, stepMs: 1_000, firstId: 5000 }));
    const paths = [
      write("later.json", later),
      write("overlapping.json", overlapping),
      write("first.json.gz", gzipSync(line)),
    ];
    const { code, out } = await check(paths);
    expect(later).not.toBe(line);
    expect(code).toBe(0);
    expect(out).toContain("replayed 600 spans of 3 files");
    expect(out).toContain("decided    600 spans in");
    expect(out).toMatch(/web → api\s+300 calls/);
  });

  test("the same files give the same summary", async () => {
    const paths = [write("again.json", line)];
    const summary = async () => (await check(paths)).out.replace(/ in .*spans\/s\)/, "");
    expect(await summary()).toBe(await summary());
  });

  test("nothing is left behind", async () => {
    const place = join(folder, "temporary");
    mkdirSync(place);
    vi.stubEnv("TMPDIR", place);
    expect((await check([write("clean.json", line)])).code).toBe(0);
    vi.unstubAllEnvs();
    expect(readdirSync(place)).toEqual([]);
  });

  test("files without spans", async () => {
    expect(await check([write("empty.json", "{}")])).toMatchObject({
      code: 1,
      err: "brunt replay: the files hold no spans\n",
    });
  });
});

const nezha = "../shared/data/otlp-vectors/nezha-otlp";

describe.skipIf(!existsSync(nezha))("recordings of real systems", () => {
  test.each([
    [
      "trainticket_normal_2023-01-29_08_50.otlp.json.gz",
      "4,890",
      "ts-travel-service → ts-seat-service",
    ],
    ["onlineboutique_normal_2022-08-23_17_00.otlp.json.gz", "22,969", "frontend → cartservice"],
  ])("%s", async (name, spans, edge) => {
    const { code, out } = await check([join(nezha, name)]);
    expect(code).toBe(0);
    expect(out).toContain(`replayed ${spans} spans`);
    expect(out).toContain(`decided    ${spans} spans`);
    expect(out).toContain(edge);
  });
});
