import { describe, expect, test } from "vitest";
import {
  formatBytes,
  formatCount,
  formatDurationMs,
  formatEstimate,
  formatExpected,
  formatShare,
} from "../../cli/terminal/format.ts";
import { renderNeighbours, renderWalk } from "../../cli/terminal/render-graph.ts";
import {
  type Canvas,
  fingerprintOf,
  pathOf,
  renderIncident,
  renderUpdate,
} from "../../cli/terminal/render-incident.ts";
import { renderBar } from "../../cli/terminal/render-progress.ts";
import { createStyle, plainStyle, printable, wrapText } from "../../cli/terminal/terminal.ts";
import type { Incident } from "../../wire/api-types.ts";
import { detail, edge, incident, node } from "./sample-incident.ts";

const canvas: Canvas = { style: plainStyle, columns: 100 };

/** Text as a list of lines, so that a failing row shows which line is off. */
function check(text: string): string[] {
  return text.trimEnd().split("\n");
}

test("an incident is one aligned block", () => {
  const view = { incident, moment: "opened" as const, hops: detail.graph.hops };
  expect(check(renderIncident(view, canvas))).toEqual([
    "● opened  payments fails for amex in eu-west-1",
    "  inc-7 · failed · score 8.4 · pages",
    "  cause     payments (confirmed)",
    "            312 of 340 failed spans began there",
    "  where     service.version = 2.4.1",
    "            cloud.region    = eu-west-1",
    "            card.type       = amex",
    "            312 of 340 failed, 3.4 expected · 97 % of the excess · 118 (115 to 121) customers",
    "  customers 118 (115 to 121) affected",
    "  entries   frontend POST /checkout  312 of 4,021 failed (7.8 %)",
    "  path      frontend → checkout → payments",
    "  seen      12:04:30Z to 12:05:10Z · coverage 100 %",
  ]);
});

const none: Incident["cause"] = {
  name: "",
  kind: "none",
  verdict: "inconclusive",
  signal: "slow",
  reason: "",
};

test.each<[string, Partial<Incident>, string, "updated" | "resolved"]>([
  [
    "held back",
    { page: false, gate: "1 customer, below 3" },
    "no page: 1 customer, below 3",
    "updated",
  ],
  ["resolved", { status: "resolved" }, "✓ resolved  payments", "resolved"],
  ["without a cause", { cause: none }, "cause     not found (inconclusive)", "updated"],
  ["slow", { signal: "slow" }, "312 of 4,021 too slow", "updated"],
  [
    "without customers",
    { impact: { ...incident.impact, customers: null } },
    "customers unknown: no span at an entry names a customer",
    "updated",
  ],
  [
    "everywhere",
    { combinations: [{ ...detail.combinations[0]!, attributes: [] }] },
    "where     everywhere",
    "updated",
  ],
  [
    "that something else explains nearly as well",
    {
      alternatives: [{ ...detail.combinations[0]!, attributes: [{ dimension: "a", value: "b" }] }],
    },
    "or        a = b",
    "updated",
  ],
  ["terminal codes in a name", { title: "a\u001b[2Jb" }, "a\ufffd[2Jb", "updated"],
])("an incident %s", (_, change, part, moment) => {
  const view = { incident: { ...incident, ...change }, moment, hops: [] };
  expect(renderIncident(view, canvas)).toContain(part);
  expect(renderIncident(view, canvas)).not.toContain("\u001b");
});

test("an update that moves only numbers is one line", () => {
  expect(renderUpdate(incident, plainStyle)).toBe(
    "12:05:10Z  inc-7  118 (115 to 121) customers, 312 of 4,021 failed\n",
  );
});

test.each<[string, Partial<Incident>, boolean]>([
  ["numbers", { score: 9, asOfMs: 0, coverage: 0.5 }, true],
  ["the title's numbers", { title: "119 customers" }, true],
  ["the impact", { impact: { ...incident.impact, bad: 999 } }, true],
  ["the cause", { cause: none }, false],
  ["the combination", { combinations: [] }, false],
  ["paging", { page: false }, false],
  ["status", { status: "resolved" }, false],
])("a change of %s", (_, change, same) => {
  expect(fingerprintOf({ ...incident, ...change }) === fingerprintOf(incident)).toBe(same);
});

describe("the walk", () => {
  test("is a tree with the evidence of each hop", () => {
    expect(check(renderWalk(detail.graph, "errors", canvas).join("\n"))).toEqual([
      "frontend  entry",
      "│ 312 of 4,021 failed (7.8 %) · 3.4 expected · 0 began here · p99 240 ms",
      "│ 312 of 1,000 calls bad · p99 230 ms",
      "│ • 99 % of its bad spans call checkout",
      "└▶ checkout  quiet",
      "   │ 0 of 1,000 failed (0 %) · 3.4 expected · 0 began here · p99 240 ms",
      "   │ 312 of 1,000 calls bad · p99 230 ms · gap 1.5 ms",
      "   │ • checkout passes failures on without failing itself",
      "   │ • likely, not confirmed",
      "   └▶ payments  cause",
      "        312 of 1,000 failed (31 %) · 3.4 expected · 310 began here · p99 240 ms",
      "        • 310 of 312 began here",
      "",
      "also affected: mailer",
    ]);
  });

  test("through a ring ends where it has been", () => {
    const hop = { evidence: [], verdict: "likely" as const };
    const hops = [
      { from: "a", to: "b", ...hop },
      { from: "b", to: "a", ...hop },
    ];
    const text = renderWalk({ nodes: [], edges: [], hops }, "errors", canvas).join("\n");
    expect(text).toContain("a (drawn above)");
  });

  test("marks a far side that reports no spans", () => {
    const nodes = [node("db", "cause", { virtual: true, type: "database" })];
    const hops = [{ from: "db", to: "db", evidence: [], verdict: "confirmed" as const }];
    expect(renderWalk({ nodes, edges: [], hops }, "slow", canvas)[0]).toBe("db  cause, database");
  });
});

test("neighbours of a service no incident touches", () => {
  const graph = {
    nodes: [node("checkout", "healthy", { bad: 2 })],
    edges: [edge("frontend", "checkout"), edge("checkout", "db"), edge("a", "b")],
    hops: [],
  };
  expect(renderNeighbours(graph, "checkout", canvas)).toEqual([
    "checkout",
    "  2 of 1,000 failed (0.2 %) · 3.4 expected · 0 began here · p99 240 ms",
    "  called by",
    "    frontend  312 of 1,000 calls bad · p99 230 ms",
    "  calls",
    "    db  312 of 1,000 calls bad · p99 230 ms",
  ]);
});

test.each([
  ["nothing", [], []],
  ["one node", [["a", "a"]], ["a"]],
  [
    "three nodes",
    [
      ["a", "b"],
      ["b", "c"],
      ["c", "c"],
    ],
    ["a", "b", "c"],
  ],
] as const)("path of %s", (_, pairs, path) => {
  const hops = pairs.map(([from, to]) => ({ from, to, evidence: [], verdict: "likely" as const }));
  expect(pathOf(hops)).toEqual(path);
});

test.each([
  [0, 4, "····"],
  [0.5, 4, "██··"],
  [0.28, 4, "█▏··"],
  [1, 4, "████"],
  [7, 4, "████"],
  [-1, 4, "····"],
  [Number.NaN, 4, "····"],
])("a bar of %s", (share, width, bar) => {
  expect(renderBar(share, width)).toBe(bar);
});

describe("numbers", () => {
  test.each([
    [0, "0"],
    [999, "999"],
    [1000, "1,000"],
    [12_345_678.4, "12,345,678"],
  ])("count %s", (count, text) => expect(formatCount(count)).toBe(text));

  test.each([
    [0, "0 %"],
    [0.0004, "<0.1 %"],
    [0.078, "7.8 %"],
    [0.5, "50 %"],
    [0.996, "99.6 %"],
    [0.99999, ">99.9 %"],
    [1, "100 %"],
  ])("share %s", (share, text) => expect(formatShare(share)).toBe(text));

  test.each([
    [0.42, "0.4"],
    [3, "3"],
    [3400.2, "3,400"],
  ])("expected %s", (expected, text) => expect(formatExpected(expected)).toBe(text));

  test.each([
    [0.84, "0.8 ms"],
    [120.4, "120 ms"],
    [4200, "4.2 s"],
    [5000, "5 s"],
    [60_000, "1 min"],
    [119_900, "2 min"],
    [200_000, "3 min 20 s"],
    [7_500_000, "2 h 5 min"],
  ])("duration %s ms", (durationMs, text) => expect(formatDurationMs(durationMs)).toBe(text));

  test.each([
    [0, "0 B"],
    [999, "999 B"],
    [1_000, "1.0 KiB"],
    [10_240, "10 KiB"],
    [1_023 * 1_024, "1.0 MiB"],
    [64 * 2 ** 20, "64 MiB"],
    [2 ** 52, "4096 TiB"],
  ])("%d bytes", (bytes, text) => expect(formatBytes(bytes)).toBe(text));

  test.each([
    [{ value: 5, low: 5, high: 5 }, "5"],
    [{ value: 118.2, low: 115.2, high: 120.7 }, "118 (115 to 121)"],
    [{ value: 9.01, low: 8.98, high: 9.03 }, "9"],
  ])("estimate %o", (estimate, text) => expect(formatEstimate(estimate)).toBe(text));
});

test("colour only where it is wanted", () => {
  expect(createStyle({ enabled: true }).red("a")).toBe("\u001b[31ma\u001b[39m");
  expect(createStyle({ enabled: false }).red("a")).toBe("a");
});

test.each([
  ["short", 10, ["short"]],
  ["one two three", 7, ["one two", "three"]],
  ["unbreakable", 4, ["unbreakable"]],
  ["", 4, [""]],
])("wrap %j at %s", (text, width, lines) => expect(wrapText(text, width)).toEqual(lines));

test("control and direction characters do not reach a terminal", () => {
  expect(printable("a\u001b[31m\u0007\u202eb\u009b")).toBe("a\ufffd[31m\ufffd\ufffdb\ufffd");
});
