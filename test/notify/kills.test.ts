/** Kills and power cuts at any moment, under targets that fail in every way; virtual time. */
import { describe, expect, test } from "vitest";
import type { Prng } from "../../base/prng.ts";
import type { Incident } from "../../wire/api-types.ts";
import { between, chanceOf, happens } from "../sim/chance.ts";
import { judgeTold } from "./alert-judge.ts";
import { incidentOf, startMs } from "./incidents.ts";
import { alertmanager, otherWebhook, SimCollector, webhook } from "./sim-collector.ts";
import type { Mood } from "./sim-target.ts";

const seeds = Array.from({ length: 150 }, (_, seed) => seed);
const windows = 40;
const windowMs = 10_000;
const urls = [webhook, otherWebhook, alertmanager];
const moods: readonly Mood[] = ["well", "well", "lost", "reset", "hanging", 500, 429];

interface Storm {
  readonly collector: SimCollector;
  readonly incidents: ReadonlyMap<string, Incident>;
  readonly kills: number;
}

async function storm(seed: number): Promise<Storm> {
  const prng = chanceOf(seed, "storm");
  const config = { webhooks: [webhook, otherWebhook], alertmanagers: [alertmanager] };
  const collector = new SimCollector({ seed, config });
  const incidents = new Map<string, Incident>();
  let kills = 0;
  let isUp = false;
  for (let window = 0; window < windows; window++) {
    if (!isUp) {
      collector.start();
      isUp = true;
      // A first start is not disturbed: what opened before it nobody was promised.
      if (window === 0) await collector.run(5_000);
    }
    for (const url of urls) {
      if (happens(prng, 0.2)) collector.target(url).mood = prng.pick(moods);
    }
    // After a time away many windows close at once.
    for (let closing = 1 + prng.integer(3); closing > 0; closing--) {
      const asOf = (collector.nowMs - startMs) / 1_000;
      const changed = happen(prng, [...incidents.values()], asOf);
      for (const incident of changed) incidents.set(incident.id, incident);
      collector.decide(...changed);
    }
    if (happens(prng, 0.3)) {
      // Often while something is on its way to the disk or to a target.
      await collector.run(happens(prng, 0.7) ? between(prng, 0, 150) : between(prng, 0, windowMs));
      collector.kill(happens(prng, 0.5) ? "kill" : "cutPower");
      isUp = false;
      kills += 1;
    }
    await collector.run(windowMs);
  }
  for (const url of urls) collector.target(url).mood = "well";
  if (!isUp) collector.start();
  await collector.run(600_000);
  return { collector, incidents, kills };
}

/** Some incidents change, some end, and perhaps one begins. */
function happen(prng: Prng, incidents: readonly Incident[], asOf: number): readonly Incident[] {
  const changed: Incident[] = [];
  for (const { id, status: before, page } of incidents) {
    if (before === "resolved" || !happens(prng, 0.4)) continue;
    const status = happens(prng, 0.5) ? "resolved" : "firing";
    changed.push(incidentOf({ id, status, asOf, customers: 10 + prng.integer(200), page }));
  }
  if (happens(prng, 0.5)) {
    changed.push(incidentOf({ id: `inc_${incidents.length}`, asOf, page: happens(prng, 0.8) }));
  }
  return changed;
}

describe("kills and power cuts", () => {
  test.each(seeds)(
    "seed %i: nothing missed, fired before resolved, copies only of a kill",
    async (seed) => {
      const { collector, incidents, kills } = await storm(seed);
      const expected = [...incidents.values()]
        .filter(({ page }) => page)
        .map(({ id, status }) => ({ id, isResolved: status === "resolved" }));
      for (const url of urls) {
        const { told } = collector.target(url);
        const verdict = judgeTold(told, expected, { repeats: url === alertmanager });
        expect(verdict, url).toMatchObject({ missed: [], unordered: [], changed: [], unasked: [] });
        expect(verdict.duplicates, url).toBeLessThanOrEqual(kills);
      }
    },
  );
});
