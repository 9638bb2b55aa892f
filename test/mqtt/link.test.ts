/** Session and link in virtual time, with a broker the test holds in its hand. */
import { describe, expect, test } from "vitest";
import { createMqttLink } from "../../agent/export/mqtt-link.ts";
import { createVirtualClock } from "../../base/clock.ts";
import type { OperationalError } from "../../base/errors.ts";
import { silentLog } from "../../base/log.ts";
import { createMeter } from "../../base/meter.ts";
import type { Ack, BatchAnswer } from "../../wire/agent-link.ts";
import {
  agentTopics,
  encodeAnswer,
  encodeThresholds,
  mqttRecordBytesMax,
} from "../../wire/mqtt-messages.ts";
import { MqttSession } from "../../wire/mqtt-session.ts";
import { bytesOf, metric, streamIdOf } from "../collector/fixture.ts";
import { createMemoryBroker } from "./memory-broker.ts";

const topics = agentTopics("edge");
const text = (payload: Uint8Array) => new TextDecoder().decode(payload);
const ack = (...have: [number, number][]): Ack => ({
  have,
  thresholdsRevision: 0,
  collectorTimeMs: 9,
});
const record = (seq: number, stream = 1) => bytesOf({ stream, seq, window: seq, agent: "edge" });
const heartbeat = (seq: number, question = 7) => bytesOf({ seq, agent: "edge", question });

/** A link whose first connection is up unless told otherwise. */
function start({ up = true } = {}) {
  const clock = createVirtualClock(0);
  const meter = createMeter();
  const broker = createMemoryBroker();
  const link = createMqttLink({
    agent: "edge",
    open: broker.open,
    clock,
    meter,
    log: silentLog,
    chance: () => 0.5,
  });
  if (up) broker.newest.listener.up();
  const down = (message = "cut", tryOtherVersion = false) =>
    broker.newest.listener.down({ message, tryOtherVersion });
  const answer = (about: Partial<BatchAnswer> & { stream?: number }) => {
    const { stream = 1, ...rest } = about;
    const whole = { streamId: streamIdOf(stream), seq: 1, ...rest } as BatchAnswer;
    broker.newest.listener.message({ topic: topics.down, payload: encodeAnswer(whole) });
  };
  /** What goes up, leaving out the status. */
  const sent = () => broker.newest.published.filter(({ topic }) => topic === topics.up);
  const outcomeOf = (promise: Promise<unknown>) =>
    promise.then(
      (value) => value,
      (cause: OperationalError) => `${cause.code}${cause.retryable ? "" : " for good"}`,
    );
  return { clock, meter, broker, link, down, answer, sent, outcomeOf };
}

describe("link", () => {
  test("it comes as itself, with a will, and says it is there", () => {
    const { broker } = start();
    const { hello, published } = broker.newest;
    expect(hello).toMatchObject({
      version: 5,
      clientId: "brunt-agent-edge",
      subscriptions: [topics.down, "brunt/default/thresholds/#"],
    });
    expect(text(hello.will?.payload as Uint8Array)).toBe("gone");
    expect(published.map(({ topic, payload, retain }) => [topic, text(payload), retain])).toEqual([
      [topics.status, "online", true],
    ]);
  });

  test("an acknowledgement goes to the batch it names, and to all it covers", async () => {
    const { link, answer, meter } = start();
    const [first, second, third, other] = [1, 2, 3, 1].map((seq, at) =>
      link.send(record(seq, at === 3 ? 2 : 1)),
    ) as [Promise<Ack>, Promise<Ack>, Promise<Ack>, Promise<Ack>];
    answer({ seq: 2, ack: ack([1, 2]) });
    expect((await first).have).toEqual((await second).have);
    answer({ seq: 3, ack: ack([1, 3]) });
    answer({ stream: 2, seq: 1, ack: ack([1, 1]) });
    expect((await third).have).toEqual([[1, 3]]);
    expect((await other).have).toEqual([[1, 1]]);
    answer({ seq: 3, ack: ack([1, 3]) });
    expect(metric(meter, "brunt_agent_mqtt_unmatched_total")).toBe(1);
  });

  test("a heartbeat's answer is not its namesake's, unless it covers it", async () => {
    const { link, answer, outcomeOf } = start();
    const outcomes: string[] = [];
    const log = (name: string, promise: Promise<unknown>) =>
      outcomeOf(promise).then((value) => outcomes.push(`${name} ${typeof value}`));
    const sends = [log("record", link.send(record(5))), log("beat", link.send(heartbeat(5)))];
    answer({ seq: 5, heartbeat: 6, ack: ack() });
    answer({ seq: 5, heartbeat: 7, nack: { code: "SKETCH_INVALID", message: "no" } });
    await sends[1];
    expect(outcomes).toEqual(["beat string"]);
    sends.push(log("beat", link.send(heartbeat(5))), log("beat", link.send(heartbeat(5))));
    answer({ seq: 5, heartbeat: 7, ack: ack() });
    await Promise.all(sends.slice(2));
    expect(outcomes).toEqual(["beat string", "beat object", "beat object"]);
    answer({ seq: 9, heartbeat: 8, ack: ack([5, 5]) });
    await sends[0];
    expect(outcomes).toContain("record object");
  });

  test("an answer's time counts only when it can be to nothing else", async () => {
    const { link, answer, clock } = start();
    const isTimed = async (bytes: Uint8Array, seq: number, about: object = {}) => {
      const sending = link.send(bytes);
      answer({ seq, ack: ack([1, seq]), ...about });
      return (await sending).isUntimed !== true;
    };
    // Of an earlier life, for all we know.
    expect(await isTimed(record(3), 3)).toBe(false);
    expect(await isTimed(heartbeat(3), 3, { heartbeat: 7 })).toBe(true);
    expect(await isTimed(record(4), 4)).toBe(true);
    expect(await isTimed(record(2), 2)).toBe(false);
    const lost = link.send(record(5)).catch(() => {});
    clock.advance(10_000);
    await lost;
    expect(await isTimed(record(5), 5)).toBe(false);
    expect(await isTimed(record(6), 9, { heartbeat: 7 })).toBe(false);
    expect(await isTimed(record(7), 7)).toBe(true);
    expect(await isTimed(record(8, 2), 8, { stream: 2 })).toBe(false);
  });

  test("a refusal fails the batch it names, with the code's remedy", async () => {
    const { link, answer, outcomeOf } = start();
    const final = outcomeOf(link.send(record(1)));
    answer({ seq: 1, nack: { code: "SKETCH_INVALID", message: "no" } });
    expect(await final).toBe("SKETCH_INVALID for good");
    const passing = outcomeOf(link.send(record(1)));
    answer({ seq: 1, nack: { code: "NEVER_HEARD_OF", message: "?" } });
    expect(await passing).toBe("COLLECTOR_UNREACHABLE");
  });

  test("without an answer in 10 s a send fails, and may be tried again", async () => {
    const { link, clock, outcomeOf, meter } = start();
    const outcome = outcomeOf(link.send(record(1)));
    clock.advance(9_999);
    expect(metric(meter, "brunt_agent_mqtt_timeouts_total")).toBe(0);
    clock.advance(1);
    expect(await outcome).toBe("COLLECTOR_UNREACHABLE");
  });

  test("nothing is published while no connection stands; it goes out when one does", async () => {
    const { link, clock, broker, down, answer, sent, outcomeOf } = start();
    down();
    const published = broker.newest.published.length;
    const patient = outcomeOf(link.send(record(1)));
    const late = outcomeOf(link.send(record(2)));
    expect(broker.newest.published).toHaveLength(published);
    clock.advance(250);
    expect(broker.connections).toHaveLength(2);
    expect(broker.newest.published).toEqual([]);
    broker.newest.listener.up();
    expect(sent()).toHaveLength(2);
    answer({ seq: 1, ack: ack([1, 1]) });
    expect(await patient).toMatchObject({ have: [[1, 1]] });
    clock.advance(10_000);
    expect(await late).toBe("COLLECTOR_UNREACHABLE");
  });

  test("what waits for a connection fails with the attempt at one", async () => {
    const { link, clock, broker, down, outcomeOf } = start();
    down();
    clock.advance(250);
    const outcome = outcomeOf(link.send(record(1)));
    down("no route");
    expect(await outcome).toBe("COLLECTOR_UNREACHABLE");
    expect(broker.newest.published).toEqual([]);
  });

  test("a heartbeat brings an attempt about, a record waits; not twice in half a second", () => {
    const { link, clock, broker, down, outcomeOf } = start({ up: false });
    for (let failures = 0; failures < 8; failures++) {
      down();
      clock.advance(15_000);
    }
    down();
    const before = broker.connections.length;
    clock.advance(499);
    void outcomeOf(link.send(heartbeat(0)));
    expect(broker.connections).toHaveLength(before);
    clock.advance(1);
    void outcomeOf(link.send(record(1)));
    expect(broker.connections).toHaveLength(before);
    void outcomeOf(link.send(heartbeat(0)));
    expect(broker.connections).toHaveLength(before + 1);
    clock.advance(14_500);
    expect(broker.connections).toHaveLength(before + 1);
  });

  test("what was on its way when the connection ended fails at once", async () => {
    const { link, down, outcomeOf } = start();
    const outcome = outcomeOf(link.send(record(1)));
    down();
    expect(await outcome).toBe("COLLECTOR_UNREACHABLE");
  });

  test("what the broker does not want fails at once, and may be tried again", async () => {
    const { link, broker, outcomeOf } = start();
    const outcome = outcomeOf(link.send(record(1)));
    broker.newest.takeAll("not authorized");
    expect(await outcome).toBe("COLLECTOR_UNREACHABLE");
  });

  test("sends have a bound, and so has what the broker has not taken", async () => {
    const { link, clock, broker, outcomeOf, sent } = start();
    const sendMany = () =>
      Array.from({ length: 16 }, (_, at) => outcomeOf(link.send(record(at + 1))));
    const sends = sendMany();
    expect(await outcomeOf(link.send(record(17)))).toBe("OVERLOADED");
    expect(sent()).toHaveLength(16);
    clock.advance(10_000);
    await Promise.all(sends);
    // One of the 32 messages that the broker has not taken is the status.
    const again = sendMany();
    expect(sent()).toHaveLength(31);
    expect(await again[15]).toBe("COLLECTOR_UNREACHABLE");
    broker.newest.takeAll();
    void outcomeOf(link.send(record(17)));
    expect(sent()).toHaveLength(32);
  });

  test.each<[string, Uint8Array, string]>([
    ["a record that fits no packet", new Uint8Array(mqttRecordBytesMax + 1), "BATCH_TOO_LARGE"],
    ["what is no record", Uint8Array.of(1, 2, 3), "BATCH_INVALID"],
  ])("%s is not sent", async (_, bytes, code) => {
    const { link, outcomeOf, sent } = start();
    expect(await outcomeOf(link.send(bytes))).toBe(`${code} for good`);
    expect(sent()).toEqual([]);
  });

  test("what the broker sends amiss is counted, and harms nobody", async () => {
    const { link, broker, answer, meter } = start();
    const sending = link.send(record(1));
    const { listener } = broker.newest;
    for (const payload of [new Uint8Array(), new TextEncoder().encode('{"streamId":1}')]) {
      listener.message({ topic: topics.down, payload });
    }
    listener.message({ topic: "brunt/default/thresholds", payload: Uint8Array.of(1) });
    expect(metric(meter, "brunt_agent_mqtt_malformed_total")).toBe(3);
    answer({ ack: ack([1, 1]) });
    await sending;
  });

  test("thresholds are those retained, once they are there", async () => {
    const { link, broker, outcomeOf } = start();
    expect(await outcomeOf(link.thresholds())).toBe("COLLECTOR_UNREACHABLE");
    const item = { service: "s", operation: "o", kind: "server", peer: "", slowBucket: 1 };
    for (const message of encodeThresholds({ revision: 4, items: [item] })) {
      broker.newest.listener.message(message);
    }
    expect(await link.thresholds()).toEqual({ revision: 4, items: [item] });
  });

  test("closing says gone, fails what waits, and is final", async () => {
    const { link, broker, clock, outcomeOf } = start();
    const outcome = outcomeOf(link.send(record(1)));
    const connection = broker.newest;
    await link.close();
    expect(await outcome).toBe("COLLECTOR_UNREACHABLE");
    expect(text(connection.published.at(-1)?.payload as Uint8Array)).toBe("gone");
    expect(connection.isClosed).toBe(true);
    connection.listener.down({ message: "late", tryOtherVersion: false });
    clock.advance(100_000);
    expect(broker.connections).toHaveLength(1);
  });
});

describe("session", () => {
  /** When connections were opened, if each ends `lastsMs` after it came up, or before it does. */
  function check(options: { lastsMs?: number; refuses?: (version: number) => boolean }) {
    const { lastsMs, refuses = () => false } = options;
    const clock = createVirtualClock(0);
    const opened: [atMs: number, version: number][] = [];
    const session = new MqttSession({
      clientId: "c",
      subscriptions: [],
      clock,
      log: silentLog,
      publishesMax: 1,
      chance: () => 1,
      onUp() {},
      onMessage() {},
      onDown() {},
      open({ version }, listener) {
        opened.push([clock.nowMs(), version]);
        const refused = refuses(version);
        if (lastsMs !== undefined && !refused) clock.after(0, () => listener.up());
        clock.after(lastsMs ?? 0, () =>
          listener.down({ message: "end", tryOtherVersion: refused }),
        );
        return { publish() {}, close: async () => {} };
      },
    });
    session.start();
    clock.advance(200_000);
    return opened;
  }

  test("pauses double from 0.5 s to 30 s", () => {
    const times = check({}).map(([atMs]) => atMs);
    expect(times.slice(0, 9)).toEqual([
      0, 500, 1_500, 3_500, 7_500, 15_500, 31_500, 61_500, 91_500,
    ]);
  });

  test("a connection that does not last does not start them anew; one that does, does", () => {
    const short = check({ lastsMs: 100 }).map(([atMs]) => atMs);
    expect(short.slice(0, 5)).toEqual([0, 600, 1_700, 3_800, 7_900]);
    const long = check({ lastsMs: 20_000 }).map(([atMs]) => atMs);
    expect(long.slice(0, 4)).toEqual([0, 20_500, 41_000, 61_500]);
  });

  test("a broker that refuses MQTT 5 is asked in 3.1.1 from then on", () => {
    const versions = check({ lastsMs: 20_000, refuses: (version) => version === 5 });
    expect(versions.slice(0, 3).map(([, version]) => version)).toEqual([5, 4, 4]);
  });

  test("a broker that refuses both is asked in turn", () => {
    const versions = check({ refuses: () => true });
    expect(versions.slice(0, 4).map(([, version]) => version)).toEqual([5, 4, 5, 4]);
  });
});
