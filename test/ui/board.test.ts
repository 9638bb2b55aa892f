/** What the page makes of the stream's messages, and how it words numbers. */
import { describe, expect, test } from "vitest";
import {
  formatAgeMs,
  formatBounds,
  formatDurationMs,
  formatProbability,
  formatShare,
  formatShort,
} from "../../ui/src/format.ts";
import {
  type Board,
  createBoard,
  isStaleAfter,
  orderIncidents,
  updateBoard,
} from "../../ui/src/state/board.ts";
import type { Incident, StreamMessage } from "../../wire/api-types.ts";
import { incidentOf } from "./sample-incidents.ts";

function boardAfter(...messages: readonly StreamMessage[]): Board {
  return messages.reduce(
    (board, message) => updateBoard(board, { type: "message", message }),
    createBoard(),
  );
}

const hello = (nextSeq: number, incidents: readonly Incident[] = [], epoch = "e1") =>
  ({ type: "hello", epoch, nextSeq, incidents }) as const;
const opened = (seq: number, incident: Incident) =>
  ({ type: "incident.opened", seq, atMs: 0, incident }) as const;
const resolved = (seq: number, incident: Incident) =>
  ({ type: "incident.resolved", seq, atMs: 0, incident }) as const;
const one = incidentOf("one", { customers: 1 });
const two = incidentOf("two", { customers: 2 });

describe("following", () => {
  const rows: readonly [string, Board, Partial<Board> & { ids: readonly string[] }][] = [
    ["hello brings what there is", boardAfter(hello(5, [one])), { ids: ["one"], lastSeq: 4 }],
    [
      "an event adds to it",
      boardAfter(hello(5, [one]), opened(5, two)),
      { ids: ["one", "two"], lastSeq: 5 },
    ],
    [
      "a replayed event moves no incident backwards",
      boardAfter(hello(5, [{ ...one, status: "resolved" }]), opened(3, one)),
      { ids: ["one"], lastSeq: 4 },
    ],
    [
      "a resumed hello keeps the position, so that nothing is asked for twice or skipped",
      boardAfter(hello(5), opened(5, one), hello(9, [one, two])),
      { ids: ["one", "two"], lastSeq: 5 },
    ],
    [
      "another numbering starts anew and forgets the old incidents",
      boardAfter(hello(50, [one]), hello(3, [two], "e2")),
      { ids: ["two"], lastSeq: 2, epoch: "e2" },
    ],
    [
      "a gap is counted",
      boardAfter(hello(9), { type: "gap", fromSeq: 3, toSeq: 6 }),
      { ids: [], missed: 4 },
    ],
    [
      "0 to 0 is no gap",
      boardAfter(hello(1), { type: "gap", fromSeq: 0, toSeq: 0 }),
      { ids: [], missed: 0 },
    ],
    [
      "gaps add up",
      boardAfter(
        hello(9),
        { type: "gap", fromSeq: 1, toSeq: 1 },
        { type: "gap", fromSeq: 4, toSeq: 5 },
      ),
      { ids: [], missed: 3 },
    ],
  ];
  test.each(rows)("%s", (_, board, { ids, ...expected }) => {
    expect([...board.incidents.keys()]).toEqual(ids);
    expect(board).toMatchObject(expected);
  });

  test("a replayed event leaves the newer state", () => {
    const board = boardAfter(hello(5, [{ ...one, status: "resolved" }]), opened(3, one));
    expect(board.incidents.get("one")?.status).toBe("resolved");
  });

  test("only a gap beyond the snapshot makes the page stale", () => {
    const board = boardAfter(hello(9));
    expect(isStaleAfter(board, { toSeq: 8 })).toBe(false);
    expect(isStaleAfter(board, { toSeq: 9 })).toBe(true);
  });

  test("news is announced, an update is not", () => {
    const after = boardAfter(hello(1), opened(1, one));
    expect(after.announcement).toBe(`new incident: ${one.title}`);
    const message = { ...opened(2, two), type: "incident.updated" } as const;
    expect(updateBoard(after, { type: "message", message }).announcement).toBe(after.announcement);
  });

  test("resolved incidents are bounded, the newest kept", () => {
    const events = Array.from({ length: 250 }, (_, at) =>
      resolved(at + 1, { ...incidentOf(`i${at}`, {}), status: "resolved", resolvedAtMs: at }),
    );
    const board = boardAfter(hello(1), ...events);
    expect(board.incidents.size).toBe(200);
    expect(board.incidents.has("i249")).toBe(true);
    expect(board.incidents.has("i0")).toBe(false);
  });
});

describe("order", () => {
  test("firing by customers, unknown impact last, ties by bad events; resolved newest first", () => {
    const many = incidentOf("many", { customers: 500, bad: 1 });
    const few = incidentOf("few", { customers: 5, bad: 900 });
    const unknown = incidentOf("unknown", { customers: null, bad: 9_000 });
    const tied = incidentOf("tied", { customers: 5, bad: 901 });
    const old: Incident = { ...incidentOf("old", {}), status: "resolved", resolvedAtMs: 10 };
    const fresh: Incident = { ...incidentOf("fresh", {}), status: "resolved", resolvedAtMs: 20 };
    const { firing, resolved: over } = orderIncidents([unknown, old, few, many, fresh, tied]);
    expect(firing.map(({ id }) => id)).toEqual(["many", "tied", "few", "unknown"]);
    expect(over.map(({ id }) => id)).toEqual(["fresh", "old"]);
  });
});

describe("words for numbers", () => {
  const rows: readonly [string, string, string][] = [
    ["even bounds", formatBounds({ value: 118, low: 115, high: 121 }), "±3"],
    ["uneven bounds", formatBounds({ value: 118, low: 115, high: 122 }), "−3 +4"],
    ["exact", formatBounds({ value: 3, low: 3, high: 3.2 }), ""],
    ["short thousands", formatShort(12_345), "12.3k"],
    ["short millions", formatShort(4_200_000), "4.2M"],
    ["short is whole below ten thousand", formatShort(9_999), "9,999"],
    ["nearly none", formatShare(0.0004), "<0.1 %"],
    ["nearly all", formatShare(0.9996), ">99.9 %"],
    ["a likely chance", formatProbability(0.034), "0.034"],
    ["a small chance", formatProbability(2.3e-9), "2e-9"],
    ["zero is no probability", formatProbability(0), "<1e-15"],
    ["minutes", formatDurationMs(200_000), "3 min 20 s"],
    ["an age ahead of the clock", formatAgeMs(-900), "0 s"],
  ];
  test.each(rows)("%s", (_, said, expected) => expect(said).toBe(expected));
});
