/**
 * A device that reaches no broker for 24 hours and then does: the cores of agent and collector, the
 * link and the broker client, all as they ship, in virtual time.
 */
import { expect, test } from "vitest";
import { createMqttLink } from "../../agent/export/mqtt-link.ts";
import { silentLog } from "../../base/log.ts";
import { createMeter } from "../../base/meter.ts";
import { createPrng } from "../../base/prng.ts";
import type { CollectorCore } from "../../collector/collector-core.ts";
import { BrokerClient } from "../../collector/mqtt/broker-client.ts";
import { MqttAgents } from "../../collector/mqtt/mqtt-agents.ts";
import { MqttIntake } from "../../collector/mqtt/mqtt-intake.ts";
import { AgentMachine } from "../sim/agent-machine.ts";
import { CollectorMachine } from "../sim/collector-machine.ts";
import type { Incarnation } from "../sim/incarnation.ts";
import { Scheduler } from "../sim/scheduler.ts";
import { simStartMs } from "../sim/sim.ts";
import { SimBroker } from "../sim/sim-broker.ts";
import { createRequest, simWindowMs } from "../sim/workload.ts";

const seed = 24;
const name = "edge";
const minuteMs = 60_000;
const dayMs = 1_440 * minuteMs;
/** Spans come late by no more. */
const lateMsMax = 10 * minuteMs;
/** Reading takes its time in virtual time too; so many minutes of it. */
const readStepsMax = 600;

interface Taken {
  readonly spans: number;
  readonly windowStartMs: number;
}

/** Runs a device through `offlineMs` without a broker; gives what was taken and what is stored. */
async function check({ offlineMs }: { readonly offlineMs: number }) {
  const faults: string[] = [];
  const fail = (message: string) => faults.push(message);
  const scheduler = new Scheduler(simStartMs);
  const offlineFromMs = simStartMs + 5 * minuteMs;
  const isOffline = () =>
    scheduler.nowMs >= offlineFromMs && scheduler.nowMs < offlineFromMs + offlineMs;
  const broker = new SimBroker({
    ...{ seed, scheduler, isPersistent: true },
    isCutOff: (client) => client === name && isOffline(),
  });
  broker.heal();
  const prng = createPrng(seed);
  const parts = ({ clock }: Incarnation) => ({
    ...{ clock, log: silentLog, meter: createMeter(), chance: () => prng.next() },
  });
  const machine = { seed, scheduler, shortWrites: 0, trace: undefined, onFault: fail };
  const nothing = () => {};
  const collector = new CollectorMachine({
    ...{ ...machine, onOperation: nothing, onExit: () => fail("the collector ended") },
    onBoot(life, link) {
      const ends = { ...parts(life), link };
      new BrokerClient({
        ...{ ...ends, clientId: "collector", open: broker.opener("collector", life) },
        ...{ intake: new MqttIntake(ends), agents: new MqttAgents(ends) },
      }).start();
    },
  });
  const agent = new AgentMachine({
    ...{ ...machine, name, config: {}, onOperation: nothing, onExit: () => fail("it ended") },
    linkOf: (life) =>
      createMqttLink({ ...parts(life), agent: name, open: broker.opener(name, life) }),
  });
  collector.boot();
  agent.boot();
  const taken = new Map<string, Taken>();
  for (let minute = 1; minute < offlineMs / minuteMs + 10; minute++) {
    await scheduler.runUntil(simStartMs + minute * minuteMs);
    const { bytes, spans, operation, endMs } = createRequest(prng, {
      ...{ agent: name, life: 1, nowMs: scheduler.nowMs },
    });
    const ingested = agent.core?.ingest(bytes);
    expect(ingested?.ok).toBe(true);
    const windowStartMs = Math.floor(endMs / simWindowMs) * simWindowMs;
    const before = taken.get(operation)?.spans ?? 0;
    taken.set(operation, { spans: before + spans.length, windowStartMs });
  }
  await scheduler.runUntil(scheduler.nowMs + 5 * minuteMs);
  expect(agent.isDrained).toBe(true);
  const { core } = collector;
  if (core === undefined) throw new Error("the collector is down");
  let stored: readonly (readonly Counted[])[] | undefined;
  const minutes = Math.ceil((scheduler.nowMs - simStartMs) / minuteMs);
  void readMinutes(core, minutes).then((read) => {
    stored = read;
  });
  for (let step = 0; step < readStepsMax && stored === undefined; step++) {
    await scheduler.runUntil(scheduler.nowMs + minuteMs);
  }
  return { faults, taken, stored: stored?.flat(), ledger: core.ledger() };
}

interface Counted {
  readonly minuteMs: number;
  readonly operation: string;
  readonly spans: number;
}

/** What the collector has of each minute, as its API tells. */
async function readMinutes(core: CollectorCore, minutes: number): Promise<Counted[][]> {
  const found: Counted[][] = [];
  for (let at = simStartMs - lateMsMax; at < simStartMs + minutes * minuteMs; at += minuteMs) {
    const range = { from: at, to: at + minuteMs };
    const query = { service: name, operation: "", limit: 1_000, windows: 1, ...range };
    const keys = await core.keys(query);
    if (!keys.ok) throw new Error(keys.error.message);
    found.push(
      keys.value.map(({ key, count }) => ({
        minuteMs: at,
        operation: key.find(({ dimension }) => dimension === "operation")?.value ?? "",
        spans: count,
      })),
    );
  }
  return found;
}

test("24 hours offline: every window is delivered, under the time it happened", async () => {
  const { faults, taken, stored, ledger } = await check({ offlineMs: dayMs });
  expect(faults).toEqual([]);
  expect(taken.size).toBeGreaterThan(1_400);
  // While nobody listened six windows went into a record; their minute is theirs all the same.
  const expected = [...taken].map(([operation, { spans, windowStartMs }]) => ({
    minuteMs: Math.floor(windowStartMs / minuteMs) * minuteMs,
    operation,
    spans,
  }));
  expect(sorted(stored ?? [])).toEqual(sorted(expected));
  const { streams, totals } = ledger;
  expect(streams.map(({ accounted, missing }) => ({ accounted, missing }))).toEqual([
    { accounted: true, missing: 0 },
  ]);
  expect([totals.lostSpans, totals.asideSpans]).toEqual([0, 0]);
}, 120_000);

function sorted(counted: readonly Counted[]): readonly Counted[] {
  return [...counted].sort((a, b) => (a.operation < b.operation ? -1 : 1));
}
