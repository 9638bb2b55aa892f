/** The collector's end at a broker, in virtual time, with a broker the test holds in its hand. */
import { describe, expect, test } from "vitest";
import { createVirtualClock } from "../../base/clock.ts";
import { OperationalError } from "../../base/errors.ts";
import { silentLog } from "../../base/log.ts";
import { createMeter } from "../../base/meter.ts";
import { BrokerClient } from "../../collector/mqtt/broker-client.ts";
import { MqttAgents } from "../../collector/mqtt/mqtt-agents.ts";
import { MqttIntake } from "../../collector/mqtt/mqtt-intake.ts";
import type { Ack, BatchAnswer } from "../../wire/agent-link.ts";
import { agentTopics, decodeAnswer, mqttRecordBytesMax } from "../../wire/mqtt-messages.ts";
import { bytesOf, metric } from "../collector/fixture.ts";
import { createMemoryBroker } from "./memory-broker.ts";

const ack: Ack = { have: [[1, 1]], thresholdsRevision: 0, collectorTimeMs: 1 };
const record = (agent: string, seq = 1) => bytesOf({ seq, window: seq, agent, spans: [{}] });

/** A collector whose answers the test gives, in the order of batches. */
function start() {
  const clock = createVirtualClock(0);
  const meter = createMeter();
  const broker = createMemoryBroker();
  const open: { resolve(ack: Ack): void; reject(cause: unknown): void }[] = [];
  let thresholds = { revision: 1, items: [] };
  const link = {
    send: () => new Promise<Ack>((resolve, reject) => open.push({ resolve, reject })),
    thresholds: async () => thresholds,
  };
  const client = new BrokerClient({
    ...{ clientId: "brunt-collector", open: broker.open, link, clock, log: silentLog, meter },
    intake: new MqttIntake({ link, log: silentLog, meter }),
    agents: new MqttAgents({ log: silentLog, meter }),
    chance: () => 0.5,
  });
  client.start();
  broker.newest.listener.up();
  return {
    ...{ clock, meter, broker, open, client },
    hear: (topic: string, payload: Uint8Array | string) => {
      const bytes = typeof payload === "string" ? new TextEncoder().encode(payload) : payload;
      broker.newest.listener.message({ topic, payload: bytes });
    },
    setThresholds: (revision: number) => {
      thresholds = { revision, items: [] };
    },
    /** What was answered so far on this agent's topic. */
    answers: async (agent: string): Promise<BatchAnswer[]> => {
      await settle();
      return broker.newest.published
        .filter(({ topic }) => topic === agentTopics(agent).down)
        .map(({ payload }) => decodeAnswer(payload))
        .map((answer) => {
          if (!answer.ok) throw new Error(answer.error.message);
          return answer.value;
        });
    },
    counted: (name: string) => metric(meter, `brunt_collector_mqtt_${name}`),
  };
}

/** Lets promises that are already settled run their course. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

describe("at a broker", () => {
  test("a batch is answered once it is durable, and not before", async () => {
    const { hear, open, answers } = start();
    hear(agentTopics("a").up, record("a"));
    expect(await answers("a")).toEqual([]);
    open[0]?.resolve(ack);
    expect(await answers("a")).toMatchObject([{ seq: 1, ack }]);
    hear(agentTopics("a").up, bytesOf({ seq: 1, agent: "a" }));
    open[1]?.resolve(ack);
    expect((await answers("a"))[1]).toMatchObject({ seq: 1, heartbeat: 1, ack });
  });

  test.each<[string, unknown, object]>([
    [
      "a refusal",
      new OperationalError("SKETCH_INVALID", "no"),
      { code: "SKETCH_INVALID", message: "no" },
    ],
    [
      "one that passes",
      new OperationalError("STORE_WRITE", "full", { retryable: true }),
      { code: "STORE_WRITE", message: "full", retryAfterMs: 5_000 },
    ],
    [
      "one that says when",
      new OperationalError("OVERLOADED", "full", { retryable: true, retryAfterMs: 9 }),
      { code: "OVERLOADED", message: "full", retryAfterMs: 9 },
    ],
    [
      "a fault of ours",
      new TypeError("secret"),
      { code: "INTERNAL", message: "the collector broke one of its own rules" },
    ],
  ])("%s goes to the agent in words", async (_, cause, nack) => {
    const { hear, open, answers } = start();
    hear(agentTopics("a").up, record("a"));
    open[0]?.reject(cause);
    expect(await answers("a")).toMatchObject([{ seq: 1, nack }]);
  });

  test("a batch under another agent's name is refused, and kept by whoever sent it", async () => {
    const { hear, open, answers } = start();
    hear(agentTopics("a").up, record("b"));
    expect(await answers("a")).toMatchObject([{ nack: { code: "PERMISSION_DENIED" } }]);
    expect([open.length, await answers("b")]).toEqual([0, []]);
  });

  test("what is too long for a packet is refused by name", async () => {
    const { hear, answers } = start();
    const long = new Uint8Array(mqttRecordBytesMax + 1);
    long.set(record("a"));
    hear(agentTopics("a").up, long);
    expect(await answers("a")).toMatchObject([{ nack: { code: "BATCH_TOO_LARGE" } }]);
  });

  test.each<[string, string, Uint8Array | string]>([
    ["no batch", agentTopics("a").up, "hello"],
    ["nothing", agentTopics("a").up, ""],
    ["a topic of nobody", "brunt/default/%zz/up", record("a")],
    ["its own answers", agentTopics("a").down, record("a")],
    ["a status nobody has", agentTopics("a").status, "asleep"],
  ])("%s is counted and nothing else", async (_, topic, payload) => {
    const { hear, open, counted, broker } = start();
    await settle();
    const before = broker.newest.published.length;
    hear(topic, payload);
    await settle();
    expect([open.length, counted("malformed_total")]).toEqual([0, 1]);
    expect(broker.newest.published.length).toBe(before);
  });

  test("one agent's flood is refused while another's batch is taken", async () => {
    const { hear, open, answers, counted } = start();
    for (let seq = 1; seq <= 40; seq++) hear(agentTopics("flood").up, record("flood", seq));
    hear(agentTopics("a").up, record("a"));
    expect(open).toHaveLength(17);
    expect(counted("in_flight")).toBe(17);
    const refused = await answers("flood");
    expect(refused).toHaveLength(24);
    for (const answer of refused) {
      expect(answer).toMatchObject({ nack: { code: "OVERLOADED", retryAfterMs: 5_000 } });
    }
    for (const { resolve } of open) resolve(ack);
    expect(await answers("a")).toHaveLength(1);
    expect(counted("in_flight")).toBe(0);
  });

  test("all together have a bound, and so have answers the broker does not take", async () => {
    const { hear, open, answers, counted } = start();
    for (let agent = 0; agent < 300; agent++) {
      hear(agentTopics(`a${agent}`).up, record(`a${agent}`));
    }
    expect(open).toHaveLength(256);
    expect(await answers("a299")).toMatchObject([{ nack: { code: "OVERLOADED" } }]);
    for (let seq = 1; seq <= 1_100; seq++) hear(agentTopics("a").up, record("b", seq));
    await settle();
    expect(counted("unanswered_total")).toBeGreaterThan(100);
  });

  test("an answer that comes when the broker is gone is dropped and counted", async () => {
    const { hear, open, broker, counted } = start();
    hear(agentTopics("a").up, record("a"));
    broker.newest.listener.down({ message: "cut", tryOtherVersion: false });
    open[0]?.resolve(ack);
    await settle();
    expect(counted("unanswered_total")).toBe(1);
    expect(counted("connected")).toBe(0);
  });

  test("thresholds are retained when it comes up and whenever they are new", async () => {
    const { broker, clock, setThresholds } = start();
    const revisions = () =>
      broker.connections.flatMap(({ published }) =>
        published
          .filter(({ topic, retain }) => topic === "brunt/default/thresholds" && retain)
          .map(({ payload }) => JSON.parse(new TextDecoder().decode(payload)).revision),
      );
    await settle();
    expect(revisions()).toEqual([1]);
    clock.advance(5_000);
    await settle();
    expect(revisions()).toEqual([1]);
    setThresholds(2);
    clock.advance(1_000);
    await settle();
    expect(revisions()).toEqual([1, 2]);
    broker.newest.listener.down({ message: "cut", tryOtherVersion: false });
    clock.advance(1_000);
    broker.newest.listener.up();
    expect(revisions()).toEqual([1, 2, 2]);
  });

  test("who is there and who is gone, by what brokers tell", () => {
    const { hear, counted } = start();
    for (const [agent, status] of [
      ["a", "online"],
      ["b", "online"],
      ["a", "online"],
      ["b", "gone"],
      ["b", "gone"],
      ["c", "gone"],
    ] as const) {
      hear(agentTopics(agent).status, status);
    }
    expect([counted("agents"), counted("gone_total")]).toEqual([1, 1]);
    hear(agentTopics("a").status, "");
    expect([counted("agents"), counted("gone_total")]).toEqual([0, 2]);
  });
});
