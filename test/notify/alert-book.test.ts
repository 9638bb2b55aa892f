import { describe, expect, test } from "vitest";
import { AlertBook, alertsMax } from "../../collector/notify/alert-book.ts";
import type { StreamEvent } from "../../wire/api-types.ts";
import { type IncidentSpec, incidentOf, startMs } from "./incidents.ts";

/** An incident's event, or the end of the window that began so many seconds after the start. */
type Step = IncidentSpec | number;

function eventOf(step: Step, seq: number): StreamEvent {
  const atMs = startMs + seq;
  if (typeof step === "number") {
    const window = {
      ...{ windowStartMs: startMs + step * 1_000, spans: 1, errors: 0, keys: 1, anomalies: 0 },
      ...{ coverage: 1, silentAgents: 0, revised: false },
    };
    return { seq, type: "window.closed", atMs, window };
  }
  return { seq, type: "incident.updated", atMs, incident: incidentOf(step) };
}

/** The keys of the alerts as the steps make them, each when it first appears. */
function check(steps: readonly Step[], keys: readonly string[]): void {
  const book = new AlertBook();
  const seen = new Set<string>();
  for (const [index, step] of steps.entries()) {
    book.take(eventOf(step, index + 1));
    for (const { firing, resolved } of book.drain().alerts) {
      seen.add(firing.key);
      if (resolved !== null) seen.add(resolved.key);
    }
  }
  expect([...seen]).toEqual(keys);
}

const over: IncidentSpec = { status: "resolved", asOf: 200 };

describe("incidents as alerts", () => {
  test.each<[name: string, steps: readonly Step[], keys: readonly string[]]>([
    ["fires and is resolved", [{}, over], ["inc_1:firing:1", "inc_1:resolved:1"]],
    ["held back by the gate", [{ page: false }, { ...over, page: false }], []],
    ["passes the gate later", [{ page: false }, { asOf: 20 }], ["inc_1:firing:1"]],
    ["its first event was lost", [over], ["inc_1:firing:1", "inc_1:resolved:1"]],
    ["nothing material", [{}, { asOf: 90, customers: 39 }], ["inc_1:firing:1"]],
    ["doubled", [{}, { asOf: 70, customers: 40 }], ["inc_1:firing:1", "inc_1:firing:2"]],
    [
      "another cause",
      [{ verdict: "inconclusive" }, { asOf: 80, cause: "db" }],
      ["inc_1:firing:1", "inc_1:firing:2"],
    ],
    ["doubled, too soon", [{}, { asOf: 60, customers: 40 }], ["inc_1:firing:1"]],
    [
      "doubled too soon, and told when time has come",
      [{}, { asOf: 60, customers: 40 }, 60, 70],
      ["inc_1:firing:1", "inc_1:firing:2"],
    ],
    [
      "doubled and back, too soon",
      [{}, { asOf: 60, customers: 40 }, { asOf: 65 }, 80],
      ["inc_1:firing:1"],
    ],
    [
      "many changes",
      [{}, ...[30, 60, 90, 120, 150].map((asOf) => ({ asOf, cause: `c${asOf}` }))],
      ["inc_1:firing:1", "inc_1:firing:2", "inc_1:firing:3"],
    ],
    ["said twice", [{}, {}, over, over], ["inc_1:firing:1", "inc_1:resolved:1"]],
    [
      "nothing after the end",
      [{}, over, { asOf: 300, cause: "db" }],
      ["inc_1:firing:1", "inc_1:resolved:1"],
    ],
    [
      "resolved under its last revision",
      [{}, { asOf: 80, cause: "db" }, over],
      ["inc_1:firing:1", "inc_1:firing:2", "inc_1:resolved:2"],
    ],
  ])("%s", (_, steps, keys) => check(steps, keys));

  test("a settled incident makes no second alert", () => {
    const book = new AlertBook();
    book.take(eventOf({}, 1));
    book.settle("inc_1");
    book.take(eventOf({}, 1));
    expect(book.alerts.size).toBe(0);
  });

  test("restored from what was drained, it is what it was", () => {
    const book = new AlertBook();
    const copy = new AlertBook();
    for (const [index, step] of [{}, { id: "inc_2" }, over].entries()) {
      book.take(eventOf(step, index + 1));
      copy.restore(book.drain());
    }
    book.settle("inc_1");
    copy.restore(book.drain());
    expect([...copy.alerts]).toEqual([...book.alerts]);
    expect([...copy.settled]).toEqual(["inc_1"]);
  });

  test("labels stay what they were when it first fired", () => {
    const book = new AlertBook();
    book.take(eventOf({ kind: "edge", cause: "web → db" }, 1));
    const before = book.alerts.get("inc_1")?.labels;
    book.take(eventOf({ asOf: 90, cause: "cache" }, 2));
    expect(before).toMatchObject({ incident: "inc_1", service: "web" });
    expect(book.alerts.get("inc_1")?.labels).toEqual(before);
  });

  test("full: the oldest resolved alert makes room, and it is counted", () => {
    const book = new AlertBook();
    for (let at = 0; at < alertsMax; at++) book.take(eventOf({ id: `inc_${at}` }, at + 1));
    book.take(eventOf({ id: "one more" }, 1));
    expect([book.alerts.size, book.alerts.has("one more"), book.dropped]).toEqual([
      alertsMax,
      false,
      1,
    ]);
    book.take(eventOf({ ...over, id: "inc_7" }, 1));
    book.take(eventOf({ id: "one more" }, 1));
    expect([book.alerts.has("inc_7"), book.alerts.has("one more")]).toEqual([false, true]);
  });
});

describe("what an alert says is bounded", () => {
  test("texts, combinations, entries", () => {
    const book = new AlertBook();
    const long = "x".repeat(5_000);
    const many = Array.from({ length: 500 }, (_, index) => `${long} ${index}`);
    book.take(
      eventOf({ cause: long, entries: many, combinations: [...many.map((m) => `a=${m}`)] }, 1),
    );
    const { firing } = book.alerts.get("inc_1") as { firing: object };
    expect(JSON.stringify(firing).length).toBeLessThan(64 * 1_024);
    expect(firing).toMatchObject({ title: expect.stringMatching(/…$/) });
  });
});
