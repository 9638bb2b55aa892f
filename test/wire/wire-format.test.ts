/** docs/wire-format.md shows bytes; they are what the code writes and reads. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { errorCodes } from "../../base/errors.ts";
import { type Cell, createCell } from "../../sketch/cell.ts";
import { addCell, createCube } from "../../sketch/cube.ts";
import { addHistogram } from "../../sketch/histogram.ts";
import { addHll } from "../../sketch/hll.ts";
import { builtInDimensions, intern } from "../../sketch/key.ts";
import { createSipKey, sipHash24 } from "../../sketch/sip-hash.ts";
import { remedyOf } from "../../wire/agent-link.ts";
import { lossCauses } from "../../wire/lost-records.ts";
import {
  decodeSketchBatch,
  encodeSketchBatch,
  type SketchBatch,
  type WindowBatch,
} from "../../wire/sketch-batch.ts";
import { hexOf } from "./proto-tree.ts";

const page = readFileSync(new URL("../../docs/wire-format.md", import.meta.url), "utf8");
const windowStartMs = 1_700_000_000_000;
const header = {
  streamId: "00112233445566778899aabbccddeeff",
  seq: 1,
  streamSpans: 2,
  agent: "edge-1",
  watermarkMs: windowStartMs + 10_000,
  hashKeyId: "k1",
  thresholdsRevision: 0,
  windowLengthMs: 10_000,
};

/** The bytes of each example: at the start of a line, groups of hexadecimal digits. */
function check(): string[] {
  const blocks = [...page.matchAll(/```hex\n(.*?)```/gs)].map((match) => match[1] as string);
  return blocks.map((block) =>
    block
      .split("\n")
      .map((line) => /^(?:(?:[0-9a-f]{2})+(?: |$))+/.exec(line)?.[0] ?? "")
      .join("")
      .replace(/ /g, ""),
  );
}

function alice(): [low: number, high: number] {
  const key = createSipKey(Uint8Array.from({ length: 16 }, (_, at) => at));
  const id = new TextEncoder().encode("alice");
  const out = new Uint32Array(2);
  sipHash24(key, id, 0, id.length, out);
  return [out[0] as number, out[1] as number];
}

function exampleCell(): Cell {
  const target = createCell();
  Object.assign(target, { count: 2, adjusted: 2 * 65_536, errors: 1, originErrors: 1 });
  for (const ms of [5, 80]) addHistogram(target.durationNs, ms * 1_000_000);
  for (const hll of [target.customers, target.customersFailed]) addHll(hll, ...alice());
  return target;
}

function examples(): SketchBatch[] {
  const cube = createCube(windowStartMs, builtInDimensions, { keysMax: 9, edgesMax: 9 });
  const key = intern(cube.keys, ["shop", "GET /", "server", "", "1.0", "prod", ""]);
  addCell(cube, key, exampleCell());
  const counts = { spans: 2, errors: 1, rejected: 0, late: 0, unpaired: 0 };
  const noEdges = { halfEdges: [], halfEdgeShift: 0 };
  const lost = [
    { seq: 2, spans: 3, errors: 0, windowStartMs: windowStartMs + 10_000 },
    { seq: 3, spans: 4, errors: 1, windowStartMs: windowStartMs + 20_000 },
  ];
  const gap = { gapFromMs: windowStartMs + 30_000, gapToMs: windowStartMs + 47_500 };
  return [
    { ...header, kind: "window", cube, counts, folded: [], keyDemand: 1, ...noEdges },
    { ...header, kind: "heartbeat", oldestSeq: 2, question: 3735928559 },
    { ...header, seq: 4, streamSpans: 9, kind: "tombstone", cause: "evicted", lost },
    { ...header, seq: 5, streamSpans: 9, kind: "gap", ...gap },
  ];
}

describe("the examples", () => {
  test("are what an agent writes", () => {
    expect(check()).toEqual(examples().map((batch) => hexOf(encodeSketchBatch(batch))));
  });

  test("decode to what the text says", () => {
    const decoded = check().map((text) => decodeSketchBatch(Buffer.from(text, "hex")));
    const [window, ...others] = decoded.map((result) => (result.ok ? result.value : result.error));
    expect(others).toEqual(examples().slice(1));
    expect(window).toMatchObject({
      ...header,
      kind: "window",
      keyDemand: 1,
      cube: { windowStartMs },
    });
    const [cell] = [...(window as WindowBatch).cube.cells.values()];
    expect(cell).toMatchObject({ count: 2, errors: 1 });
    expect(cell?.durationNs).toEqual(exampleCell().durationNs);
  });

  test("have the customer's hash", () => {
    const [low, high] = alice();
    const hash = high.toString(16).padStart(8, "0") + low.toString(16).padStart(8, "0");
    expect(page).toContain(`\`${hash}\``);
  });
});

describe("the tables", () => {
  test("name the causes in the order of their codes", () => {
    const row = /\| cause \| u8 \| (.*) \|/.exec(page)?.[1] ?? "";
    expect([...row.matchAll(/\d (\w+)/g)].map((match) => match[1])).toEqual([...lossCauses]);
  });

  test("say what agents do about each refusal", () => {
    const rows = [...page.matchAll(/^\| (`[A-Z_`, ]+`) \| \d{3} \| (.*) \|$/gm)];
    const told = rows.flatMap(([, codes = "", remedy = ""]) =>
      [...codes.matchAll(/`([A-Z_]+)`/g)].map((match) => [match[1] as string, remedy] as const),
    );
    expect(told.length).toBeGreaterThan(8);
    for (const [code, remedy] of told) {
      expect(Object.keys(errorCodes)).toContain(code);
      const words = { keep: /: keep/, lose: /lost|same/, fork: /new stream/, reorder: /oldest/ };
      expect(`${code}: ${remedy}`).toMatch(words[remedyOf(code)]);
    }
  });
});
