/** What notifiers are told, in virtual time; nothing is killed here. */
import { describe, expect, test } from "vitest";
import { silencesMax } from "../../collector/notify/silences.ts";
import type { AlertMessage } from "../../wire/alerts.ts";
import { metric } from "../collector/fixture.ts";
import { judgeTold } from "./alert-judge.ts";
import { type IncidentSpec, incidentOf, startMs } from "./incidents.ts";
import { alertmanager, otherWebhook, SimCollector, webhook } from "./sim-collector.ts";
import type { Mood } from "./sim-target.ts";

const both = { config: { webhooks: [webhook, otherWebhook] } };

async function started(options: ConstructorParameters<typeof SimCollector>[0] = {}) {
  const collector = new SimCollector(options);
  collector.start();
  await collector.run(5_000);
  return collector;
}

/** Decides, and lets some seconds pass. */
async function say(collector: SimCollector, ...specs: readonly IncidentSpec[]): Promise<void> {
  const asOf = (collector.nowMs - startMs) / 1_000;
  collector.decide(...specs.map((spec) => incidentOf({ asOf, ...spec })));
  await collector.run(3_000);
}

const over: IncidentSpec = { status: "resolved" };

function keys(collector: SimCollector, url = webhook): readonly string[] {
  return collector.target(url).told.flatMap(({ alerts }) => alerts.map(({ key }) => key));
}

describe("messages", () => {
  test("one alert: its key is the message's", async () => {
    const collector = await started();
    await say(collector, {});
    const [message] = collector.target(webhook).told;
    expect(message).toMatchObject({ key: "inc_1:firing:1", alerts: [{ key: "inc_1:firing:1" }] });
    const alert = JSON.parse(message?.alerts[0]?.text ?? "{}") as AlertMessage["alerts"][number];
    expect(alert).toEqual({
      key: "inc_1:firing:1",
      state: "firing",
      revision: 1,
      incident: "inc_1",
      title: "20 customers: payments fails",
      signal: "errors",
      score: 7,
      startedAtMs: startMs,
      asOfMs: startMs + 5_000,
      resolvedAtMs: null,
      cause: {
        ...{ name: "payments", kind: "node", verdict: "likely", signal: "errors" },
        reason: "bad events begin here",
      },
      combinations: [
        {
          attributes: [{ dimension: "cloud.region", value: "eu" }],
          explained: 1,
          customers: null,
        },
      ],
      customers: { value: 20, low: 20, high: 20 },
      entries: [{ service: "web", operation: "GET /", count: 100, bad: 50 }],
      coverage: 1,
    });
  });

  test("10,000 incidents at once are told in 10 messages, and resolved in 10 more", async () => {
    const collector = await started();
    const ids = Array.from({ length: 10_000 }, (_, index) => `inc_${index}`);
    await say(collector, ...ids.map((id) => ({ id })));
    await collector.run(30_000);
    expect(collector.target(webhook).told).toHaveLength(10);
    await say(collector, ...ids.map((id) => ({ id, ...over })));
    await collector.run(30_000);
    const { told } = collector.target(webhook);
    expect(told).toHaveLength(20);
    const expected = ids.map((id) => ({ id, isResolved: true }));
    expect(judgeTold(told, expected)).toEqual({
      ...{ missed: [], unordered: [], duplicates: 0, changed: [], unasked: [] },
    });
    expect(metric(collector.meter, "brunt_notifier_alerts")).toBe(0);
  });

  test("a target that says 413 gets smaller ones", async () => {
    const collector = await started();
    const target = collector.target(webhook);
    const take = target.take.bind(target);
    target.take = (request, atMs) => {
      const { alerts } = JSON.parse(request.body) as AlertMessage;
      target.mood = alerts.length > 3 ? 413 : "well";
      return take(request, atMs);
    };
    await say(collector, ...Array.from({ length: 20 }, (_, index) => ({ id: `inc_${index}` })));
    expect(keys(collector).length).toBe(20);
    expect(metric(collector.meter, "brunt_notifier_untold_total")).toBe(0);
  });

  test("on two collectors that see the same, the same keys come with the same content", async () => {
    const [one, other] = [await started({ seed: 1 }), await started({ seed: 2 })];
    const steps: readonly IncidentSpec[] = [
      ...[{ asOf: 10 }, { asOf: 80, customers: 50 }, { asOf: 90, customers: 120 }],
      ...[
        { asOf: 145, cause: "db" },
        { asOf: 300, ...over },
      ],
    ];
    for (const [index, step] of steps.entries()) {
      // The other one is away for a while and catches up.
      if (index === 2) await other.stop();
      if (index === 4) {
        other.start();
        for (const missed of steps.slice(2, 4)) other.decide(incidentOf(missed));
        await other.run(5_000);
      }
      for (const collector of index === 2 || index === 3 ? [one] : [one, other]) {
        await say(collector, step);
      }
    }
    const said = (collector: SimCollector): ReadonlyMap<string, string> =>
      new Map(
        collector
          .target(webhook)
          .told.flatMap(({ alerts }) =>
            alerts.map(({ key, text }): [string, string] => [key, text]),
          ),
      );
    const [first, second] = [said(one), said(other)];
    expect([...first.keys()]).toContain("inc_1:resolved:3");
    const common = [...second].filter(([key]) => first.has(key));
    expect(common.length).toBeGreaterThanOrEqual(4);
    for (const [key, text] of common) expect(first.get(key), key).toBe(text);
  });
});

describe("failures", () => {
  test.each<[Mood]>([[500], [429], ["hanging"], ["reset"]])(
    "%s at one target delays no other, and is told when it is over",
    async (mood) => {
      const collector = await started(both);
      collector.target(webhook).mood = mood;
      for (let at = 0; at < 20; at++) {
        const saidMs = collector.nowMs;
        await say(collector, { id: `inc_${at}` });
        const { told } = collector.target(otherWebhook);
        expect(told.at(-1)?.alerts[0]?.key).toBe(`inc_${at}:firing:1`);
        expect((told.at(-1)?.atMs ?? Infinity) - saidMs).toBeLessThanOrEqual(1_000);
      }
      await say(collector, { id: "inc_0", ...over });
      await collector.run(300_000);
      expect(keys(collector)).toEqual([]);
      collector.target(webhook).mood = "well";
      await collector.run(60_000);
      const expected = Array.from({ length: 20 }, (_, at) => ({
        ...{ id: `inc_${at}`, isResolved: at === 0 },
      }));
      expect(judgeTold(collector.target(webhook).told, expected)).toMatchObject({
        ...{ missed: [], unordered: [], duplicates: 0 },
      });
    },
  );

  test("pauses grow to 30 s and no further", async () => {
    const collector = await started();
    collector.target(webhook).mood = 500;
    await say(collector, {});
    await collector.run(3_600_000);
    const { tries } = collector.target(webhook);
    // Uniform up to 30 s: 15 s on average.
    expect(tries).toBeGreaterThan(3_600 / 30);
    expect(tries).toBeLessThan(3_600 / 10);
  });

  test("retry-after is kept", async () => {
    const collector = await started();
    const target = collector.target(webhook);
    Object.assign(target, { mood: 429, retryAfterMs: 120_000 });
    await say(collector, {});
    expect(target.tries).toBe(1);
    await collector.run(115_000);
    expect(target.tries).toBe(1);
    await collector.run(10_000);
    expect(target.tries).toBe(2);
  });

  test("what is refused is not sent again; a newer revision is, and then its end", async () => {
    const collector = await started();
    const target = collector.target(webhook);
    target.mood = 404;
    await say(collector, {}, { id: "inc_2" });
    await collector.run(120_000);
    expect(target.tries).toBe(1);
    target.mood = "well";
    await say(collector, { ...over, id: "inc_2" }, { cause: "db" });
    await say(collector, { ...over, cause: "db" });
    expect(keys(collector)).toEqual(["inc_1:firing:2", "inc_1:resolved:2"]);
    expect(metric(collector.meter, "brunt_notifier_untold_total")).toBe(1);
    expect(collector.logged.filter((line) => line.includes("refuses"))).toHaveLength(1);
  });

  test("a message that fails for ever lets the others pass", async () => {
    const collector = await started();
    const target = collector.target(webhook);
    const take = target.take.bind(target);
    target.take = (request, atMs) => {
      target.mood = request.body.includes("poison") ? 500 : "well";
      return take(request, atMs);
    };
    await say(collector, { id: "poison" });
    await say(collector, { id: "inc_2" });
    await collector.run(600_000);
    await say(collector, { id: "inc_3" });
    await collector.run(60_000);
    expect(keys(collector)).toEqual(["inc_2:firing:1", "inc_3:firing:1"]);
  });

  test("an incident that was over for as long as windows are kept is given up", async () => {
    const collector = await started();
    collector.target(webhook).mood = "reset";
    await say(collector, {}, { id: "inc_2" });
    await say(collector, over);
    await collector.run(49 * 3_600_000);
    expect(metric(collector.meter, "brunt_notifier_untold_total")).toBe(1);
    collector.target(webhook).mood = "well";
    await collector.run(60_000);
    expect(keys(collector)).toEqual(["inc_2:firing:1"]);
  });

  test("the log speaks once for each change", async () => {
    const collector = await started();
    for (const mood of [500, "well", 500, "well"] as const) {
      collector.target(webhook).mood = mood;
      await say(collector, { id: `inc_${collector.nowMs}` });
      await collector.run(60_000);
      expect(metric(collector.meter, "brunt_notifier_up")).toBe(mood === "well" ? 1 : 0);
    }
    expect(collector.logged.map((line) => line.split(" {")[0])).toEqual([
      "a notifier cannot deliver and tries again",
      "a notifier delivers again",
      "a notifier cannot deliver and tries again",
      "a notifier delivers again",
    ]);
  });

  test("a disk that refuses delays nothing, and catches up", async () => {
    const collector = await started();
    collector.disk.health = "full";
    await say(collector, {});
    expect(keys(collector)).toEqual(["inc_1:firing:1"]);
    expect(metric(collector.meter, "brunt_notifier_store_failures_total")).toBeGreaterThan(0);
    collector.disk.health = "well";
    await say(collector, { id: "inc_2" });
    await collector.run(5_000);
    collector.kill("cutPower");
    collector.start();
    await collector.run(60_000);
    expect(keys(collector)).toEqual(["inc_1:firing:1", "inc_2:firing:1"]);
  });
});

describe("restarts", () => {
  test("a message on its way is sent again as it was, though more has come since", async () => {
    const collector = await started();
    const target = collector.target(webhook);
    target.mood = "lost";
    await say(collector, { id: "inc_1" }, { id: "inc_2" });
    collector.kill("kill");
    collector.start();
    await collector.run(1);
    collector.decide(incidentOf({ id: "inc_3" }));
    target.mood = "well";
    await collector.run(30_000);
    const [first, again, third] = target.told;
    expect(again?.key).toBe(first?.key);
    expect(third?.key).toBe("inc_3:firing:1");
  });

  test("a notifier that is new is told what fires, not what has been", async () => {
    const collector = await started();
    collector.target(webhook).mood = "reset";
    await say(collector, {}, { id: "inc_2" });
    await say(collector, over);
    await collector.stop();
    collector.target(webhook).mood = "well";
    collector.config = { ...collector.config, webhooks: [otherWebhook, webhook] };
    collector.start();
    await collector.run(60_000);
    expect(keys(collector, otherWebhook)).toEqual(["inc_2:firing:1"]);
    expect(keys(collector)).toEqual(["inc_1:firing:1", "inc_2:firing:1", "inc_1:resolved:1"]);
  });

  test("with the first notifier nobody is told of the past", async () => {
    const collector = await started({ config: { webhooks: [] } });
    await say(collector, {}, { id: "inc_2" }, { id: "inc_3", page: false });
    await say(collector, over);
    await collector.stop();
    collector.config = { ...collector.config, webhooks: [webhook] };
    collector.start();
    await collector.run(60_000);
    expect(keys(collector)).toEqual(["inc_2:firing:1"]);
  });

  test.each([0, 1, 2, 3])(
    "damage to record %i of what was delivered costs repeats",
    async (record) => {
      const collector = await started();
      await say(collector, {}, { id: "inc_2" });
      collector.target(webhook).mood = "reset";
      await say(collector, over);
      collector.kill("kill");
      collector.target(webhook).mood = "well";
      await collector.damage("/data/notify", record);
      collector.start();
      await collector.run(10_000);
      await say(collector, { id: "inc_2", ...over });
      const expected = ["inc_1", "inc_2"].map((id) => ({ id, isResolved: true }));
      const verdict = judgeTold(collector.target(webhook).told, expected);
      expect(verdict).toMatchObject({ missed: [], unordered: [], changed: [], unasked: [] });
      expect(metric(collector.meter, "brunt_notifier_damaged_records_total")).toBe(1);
    },
  );

  test("what came while it was not looking is told as it was, not as it is", async () => {
    const collector = await started();
    const down = collector.notify.shutdown();
    await collector.run(5_000);
    await down;
    await say(collector, { customers: 20 });
    await say(collector, { customers: 25 });
    collector.kill("kill");
    collector.start();
    await collector.run(10_000);
    expect(collector.target(webhook).told[0]?.alerts[0]?.text).toContain('"value":20');
  });

  test("an incident nobody knows any more is resolved", async () => {
    const collector = await started();
    await say(collector, {});
    await collector.stop();
    collector.forgetIncidents();
    collector.start();
    await collector.run(60_000);
    expect(keys(collector)).toEqual(["inc_1:firing:1", "inc_1:resolved:1"]);
  });

  test("a shutdown waits for a message on its way, not for ever", async () => {
    const collector = await started();
    collector.target(webhook).mood = "hanging";
    await say(collector, {});
    let isDown = false;
    void collector.notify.shutdown().then(() => {
      isDown = true;
    });
    await collector.run(1_500);
    expect(isDown).toBe(false);
    await collector.run(2_000);
    expect(isDown).toBe(true);
  });
});

describe("Alertmanager", () => {
  const options = { config: { webhooks: [], alertmanagers: [alertmanager] } };

  test("hears every minute that an alert fires, and once that it is resolved", async () => {
    const collector = await started(options);
    await say(collector, {});
    await collector.run(300_000);
    const firing = keys(collector, alertmanager).length;
    expect(firing).toBeGreaterThanOrEqual(5);
    expect(firing).toBeLessThanOrEqual(7);
    await say(collector, over);
    await collector.run(300_000);
    const all = keys(collector, alertmanager);
    expect(all.filter((key) => key === "inc_1:resolved:1")).toHaveLength(1);
    expect(all.at(-1)).toBe("inc_1:resolved:1");
  });

  test("hears after a restart at once what fires", async () => {
    const collector = await started(options);
    await say(collector, {});
    collector.kill("kill");
    collector.start();
    await collector.run(10_000);
    expect(keys(collector, alertmanager)).toEqual(["inc_1:firing:1", "inc_1:firing:1"]);
  });

  test("a repeat that fails keeps no news back", async () => {
    const collector = await started(options);
    await say(collector, {});
    collector.target(alertmanager).mood = 500;
    await collector.run(120_000);
    collector.target(alertmanager).mood = "well";
    await say(collector, { id: "inc_2" });
    await collector.run(30_000);
    expect(keys(collector, alertmanager)).toContain("inc_2:firing:1");
  });
});

describe("silences", () => {
  const matchers = [{ name: "service", value: "payments" }];

  /** Until so many seconds from now. */
  async function silence(collector: SimCollector, seconds: number): Promise<string> {
    const endsAtMs = collector.nowMs + seconds * 1_000;
    const added = collector.notify.silences.add({ matchers, endsAtMs });
    await collector.run(3_000);
    const result = await added;
    return result.ok ? result.value.id : "";
  }

  test("hold back, and let go at their end what still fires", async () => {
    const collector = await started();
    await silence(collector, 100);
    await say(collector, {}, { id: "inc_2" }, { id: "inc_3", cause: "db" });
    await say(collector, { id: "inc_2", ...over });
    expect(keys(collector)).toEqual(["inc_3:firing:1"]);
    expect(collector.notify.silences.mark(incidentOf())).toHaveProperty("silencedUntilMs");
    await collector.run(110_000);
    expect(keys(collector)).toEqual(["inc_3:firing:1", "inc_1:firing:1"]);
    expect(collector.notify.silences.mark(incidentOf())).not.toHaveProperty("silencedUntilMs");
  });

  test("do not keep the end from who was told the beginning", async () => {
    const collector = await started();
    await say(collector, {});
    await silence(collector, 100);
    await say(collector, { customers: 500, asOf: 200 });
    await say(collector, { ...over, asOf: 300 });
    expect(keys(collector)).toEqual(["inc_1:firing:1", "inc_1:resolved:2"]);
  });

  test("outlive a restart, and end when they are removed", async () => {
    const collector = await started();
    const id = await silence(collector, 1_000);
    collector.kill("cutPower");
    collector.start();
    await collector.run(10_000);
    expect(collector.notify.silences.list()).toMatchObject([{ id, matchers }]);
    await say(collector, {});
    expect(keys(collector)).toEqual([]);
    const removed = collector.notify.silences.remove(id);
    await collector.run(10_000);
    expect(await removed).toBe(true);
    expect(keys(collector)).toEqual(["inc_1:firing:1"]);
  });

  test(`are at most ${silencesMax}`, async () => {
    const collector = await started();
    const { silences } = collector.notify;
    const endsAtMs = collector.nowMs + 3_600_000;
    const ask = () => silences.add({ matchers, endsAtMs });
    const asked = Promise.all(Array.from({ length: silencesMax + 1 }, ask));
    await collector.run(600_000);
    const results = await asked;
    expect(results.filter(({ ok }) => ok)).toHaveLength(silencesMax);
    expect(results.at(-1)).toMatchObject({ ok: false, error: { code: "SILENCES_FULL" } });
    expect(silences.list()).toHaveLength(silencesMax);
  });

  test("Alertmanager goes on hearing of what it was told", async () => {
    const options = { config: { webhooks: [], alertmanagers: [alertmanager] } };
    const collector = await started(options);
    await say(collector, {});
    await silence(collector, 1_000);
    await collector.run(300_000);
    expect(keys(collector, alertmanager).length).toBeGreaterThan(3);
  });
});
