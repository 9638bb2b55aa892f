/** The broker that the collector hosts, for agents and for those who are none. */
import { writeFileSync } from "node:fs";
import { connect as connectSocket, type Socket } from "node:net";
import { join } from "node:path";
import { Aedes } from "aedes";
import { connectAsync, type IClientOptions, type MqttClient } from "mqtt";
import { generate, type Packet, parser } from "mqtt-packet";
import { afterEach, describe, expect, test } from "vitest";
import { listen } from "../../agent/receivers/listen.ts";
import { createPrng } from "../../base/prng.ts";
import { createToken } from "../../collector/access/tokens.ts";
import { agentTopics, mqttRecordBytesMax } from "../../wire/mqtt-messages.ts";
import { bytesOf, metric } from "../collector/fixture.ts";
import { temporaryDirectory } from "../collector/temporary.ts";
import { until } from "../processes/wait.ts";
import { createCertificates, hasOpenssl } from "./certificates.ts";
import { addressOf, createKeepingLink, type EndOptions, startHost, startLink } from "./rig.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const soon = { withinMs: 10_000 };
const record = (seq: number, agent = "edge-1") => bytesOf({ seq, window: seq, agent, spans: [{}] });

async function host(more: Parameters<typeof startHost>[1] = {}) {
  const kept = createKeepingLink();
  kept.current = { revision: 1, items: [] };
  const hosted = await startHost(kept, more);
  cleanups.push(() => hosted.host.shutdown());
  const url = `mqtt://127.0.0.1:${hosted.port}`;
  const link = (agent: string, more: Parameters<typeof addressOf>[1] = {}, end?: EndOptions) => {
    const started = startLink(agent, addressOf(url, more), end);
    cleanups.push(() => started.link.close());
    return started;
  };
  const client = async (options: IClientOptions = {}): Promise<MqttClient> => {
    const made = await connectAsync(url, { reconnectPeriod: 0, ...options });
    cleanups.push(() => made.end(true));
    return made;
  };
  const ended = (reason: string) =>
    hosted.meter.counter("brunt_collector_mqtt_ended_total", "", { reason }).value;
  return { ...hosted, kept, url, link, client, ended };
}

describe("agents at the hosted broker", () => {
  test.each([5, 4] as const)("protocol %d: all that is said, both ways", async (version) => {
    const { kept, link, meter } = await host();
    const { link: sender } = link("edge-1", {}, { version });
    expect((await sender.send(record(1))).have).toEqual([[1, 1]]);
    await Promise.all([2, 3, 4].map((seq) => sender.send(record(seq))));
    const beat = await sender.send(bytesOf({ seq: 4, agent: "edge-1" }));
    expect(beat.have).toEqual([[1, 4]]);
    await until("thresholds", () => sender.thresholds().then(Boolean, () => false), soon);
    kept.current = {
      revision: 2,
      items: Array.from({ length: 9_000 }, (_, at) => ({
        ...{ service: "s", operation: `o${at}`, kind: "server", peer: "", slowBucket: 7 },
      })),
    };
    const isNew = () => sender.thresholds().then(({ revision }) => revision === 2);
    await until("new thresholds, in parts", isNew, soon);
    expect(await sender.thresholds()).toEqual(kept.current);
    expect(metric(meter, "brunt_collector_mqtt_agents")).toBe(1);
    await sender.close();
    await until("gone", () => metric(meter, "brunt_collector_mqtt_agents") === 0, soon);
  });

  test("the largest record fits", async () => {
    const { link } = await host();
    const userDimensions = Array.from({ length: 8 }, (_, at) => `d${at}`);
    const spans = Array.from({ length: 120 }, (_, at) => ({
      user: userDimensions.map((name) => `${at} ${name}`.padEnd(240, "x")),
    }));
    const bytes = bytesOf({ window: 1, agent: "edge-1", spans, userDimensions });
    expect(bytes.length).toBeGreaterThan(200_000);
    expect(bytes.length).toBeLessThanOrEqual(mqttRecordBytesMax);
    expect((await link("edge-1").link.send(bytes)).have).toEqual([[1, 1]]);
  });

  test("a token is the password; one that is revoked ends the connection", async () => {
    const tokensFile = join(temporaryDirectory(), "tokens.json");
    const about = { name: "edge", scope: "agent", expiresMs: Date.now() + 1e9 } as const;
    const { text, token } = createToken(about, (size) => new Uint8Array(size).fill(7));
    const write = (tokens: readonly unknown[]) =>
      writeFileSync(tokensFile, JSON.stringify({ tokens }));
    write([token]);
    const { link, ended } = await host({ tokensFile });
    for (const version of [5, 4] as const) {
      const stranger = link("a", { user: "a", password: "no" }, { version });
      await until("refused", () => stranger.reasons.length > 0, soon);
      expect(stranger.reasons[0]).toMatch(/password|not authorized/i);
      await stranger.link.close();
    }
    expect(ended("refused")).toBeGreaterThanOrEqual(2);
    const known = link("edge-1", { user: "edge-1", password: text });
    expect((await known.link.send(record(1))).have).toEqual([[1, 1]]);
    write([]);
    await until("ended", () => ended("revoked") > 0, soon);
  });

  test.skipIf(!hasOpenssl)("TLS, with the agents' certificates", async () => {
    const made = createCertificates();
    cleanups.push(() => made.remove());
    const { caFile, server, client } = made;
    const { port } = await host({ ...server, caFile });
    const url = `mqtts://127.0.0.1:${port}`;
    const known = startLink("edge-1", addressOf(url, { caFile, ...client }));
    cleanups.push(() => known.link.close());
    expect((await known.link.send(record(1))).have).toEqual([[1, 1]]);
    const stranger = startLink("edge-1", addressOf(url, { caFile }));
    await until("refused", () => stranger.reasons.length > 0, soon);
    expect(stranger.reasons[0]).toMatch(/certificate required/);
    await stranger.link.close();
  });

  test("a broker of 3.1.1 alone is reached in 3.1.1", async () => {
    const aedes = await Aedes.createBroker();
    const { createServer } = await import("node:net");
    const server = createServer(aedes.handle);
    const listening = await listen(server, { host: "127.0.0.1", port: 0 });
    cleanups.push(
      () => listening.close(),
      () => aedes.close(),
    );
    const { link, meter, reasons } = startLink(
      "edge-1",
      addressOf(`mqtt://127.0.0.1:${listening.port}`),
    );
    cleanups.push(() => link.close());
    await until("up", () => metric(meter, "brunt_agent_mqtt_connected") === 1, soon);
    expect(reasons).toHaveLength(1);
    expect(reasons[0]).toMatch(/protocol version/i);
  });
});

describe("others at the hosted broker", () => {
  test("an agent has its own topics and the thresholds, and nothing else", async () => {
    const { kept, client, meter } = await host();
    const own = agentTopics("edge-1");
    const other = agentTopics("edge-2");
    const guest = await client({ protocolVersion: 5, clientId: "" });
    const filters = [own.down, "brunt/default/thresholds", other.down, own.up, "#", "+/+/+/down"];
    const grants: number[] = [];
    for (const filter of filters) {
      const [grant] = await guest.subscribeAsync(filter, { qos: 1 }).catch(() => []);
      grants.push(grant?.qos ?? 128);
    }
    expect(grants).toEqual([0, 0, 128, 128, 128, 128]);
    const heard: string[] = [];
    guest.on("message", (topic) => heard.push(topic));
    const [otherRecord, ownRecord] = [record(1, "edge-2"), record(1)].map((bytes) =>
      Buffer.from(bytes),
    ) as [Buffer, Buffer];
    const taken = (topic: string, payload: Buffer) =>
      guest.publishAsync(topic, payload, { qos: 1 }).then(
        () => true,
        () => false,
      );
    expect(await taken(other.up, otherRecord)).toBe(false);
    expect(await taken(own.down, ownRecord)).toBe(false);
    expect(await taken("elsewhere", ownRecord)).toBe(false);
    expect(kept.seen).toEqual([]);
    // Its own topic, with a batch that is another's: refused in words.
    expect(await taken(own.up, otherRecord)).toBe(true);
    await until("the refusal", () => heard.includes(own.down), soon);
    expect(kept.seen).toEqual([]);
    expect(await taken(own.up, ownRecord)).toBe(true);
    await until("the batch", () => kept.seen.length === 1, soon);
    expect(await taken(own.up, Buffer.from("no batch"))).toBe(true);
    expect(await taken(own.status, Buffer.from("asleep"))).toBe(true);
    expect(metric(meter, "brunt_collector_mqtt_malformed_total")).toBe(5);
  });

  test.each<[string, Partial<Packet> & { cmd: Packet["cmd"] }]>([
    ["a second greeting", { cmd: "connect", clientId: "a", keepalive: 0 }],
    ["QoS 2", { cmd: "publish", topic: "t", payload: "", qos: 2, messageId: 1 }],
    ["an answer nobody asked for", { cmd: "pubrec", messageId: 1 }],
  ])("%s ends the connection", async (_, packet) => {
    const { ended, port } = await host();
    const socket = raw(port);
    socket.write(generate({ cmd: "connect", clientId: "a", protocolVersion: 4, keepalive: 0 }));
    socket.write(generate({ dup: false, retain: false, ...packet } as Packet));
    await closed(socket);
    expect(ended("malformed")).toBe(1);
  });

  test.each<[string, Buffer, string]>([
    ["packets before a greeting", generate({ cmd: "pingreq" }), "malformed"],
    ["noise", Buffer.from(`GET /${"x".repeat(200)} HTTP/1.1`), "malformed"],
    ["a length that has no end", Buffer.from([0x10, 0xff, 0xff, 0xff, 0xff]), "malformed"],
    ["a greeting of a megabyte", Buffer.from([0x10, 0x80, 0x80, 0x40]), "too large"],
    [
      "a packet of 256 MB",
      Buffer.concat([
        generate({ cmd: "connect", clientId: "a", protocolVersion: 4, keepalive: 0 }),
        Buffer.from([0x32, 0xff, 0xff, 0xff, 0x7f]),
      ]),
      "too large",
    ],
  ])("%s ends the connection", async (_, bytes, reason) => {
    const { ended, port, link } = await host();
    const socket = raw(port);
    socket.write(bytes);
    await closed(socket);
    expect(ended(reason)).toBe(1);
    expect((await link("edge-1").link.send(record(1))).have).toEqual([[1, 1]]);
  });

  test("a client that floods and never reads costs another nothing", async () => {
    const { ended, port, link, kept } = await host();
    const socket = raw(port);
    socket.pause();
    const flood = generate({
      cmd: "publish",
      topic: agentTopics("flood").up,
      payload: Buffer.from(record(1, "flood")),
      qos: 0,
      dup: false,
      retain: false,
    });
    const greeting = { cmd: "connect", clientId: "f", protocolVersion: 4, keepalive: 0 } as const;
    socket.write(generate(greeting));
    const topic = agentTopics("flood").down;
    socket.write(generate({ cmd: "subscribe", messageId: 1, subscriptions: [{ topic, qos: 1 }] }));
    const many = Buffer.concat(Array.from({ length: 500 }, () => flood));
    const { link: sender } = link("edge-1");
    let seq = 0;
    for (let round = 0; round < 400 && !socket.destroyed; round++) {
      await new Promise((resolve) => socket.write(many, resolve));
      if (round % 20 === 0) await sender.send(record(++seq));
      if (ended("slow") > 0) break;
    }
    await until("sent away", () => ended("slow") === 1, soon);
    expect((await sender.send(record(++seq))).have).toEqual([[1, seq]]);
    expect(kept.seen.length).toBeGreaterThan(seq);
  }, 60_000);

  test("20,000 mutated packets: none is taken, and the next agent is served", async () => {
    const { port, link, kept, faults } = await host();
    const prng = createPrng(3);
    const seeds = [4, 5].flatMap((protocolVersion) => {
      const options = { protocolVersion };
      const of = (packet: Packet) => generate(packet, options);
      const greeting = of({ cmd: "connect", clientId: "m", protocolVersion: protocolVersion as 4 });
      const topic = agentTopics("m").up;
      const rest: Packet[] = [
        { cmd: "subscribe", messageId: 1, subscriptions: [{ topic, qos: 1 }] },
        { cmd: "publish", topic, payload: "x", qos: 1, messageId: 2, dup: false, retain: false },
        { cmd: "unsubscribe", messageId: 3, unsubscriptions: [topic] },
        { cmd: "disconnect" },
      ];
      return rest.map((packet) => ({ greeting, bytes: of(packet) }));
    });
    const socketsMax = 400;
    for (let at = 0; at < socketsMax; at++) {
      const socket = raw(port);
      const { greeting, bytes } = prng.pick(seeds);
      const packets = Array.from({ length: 50 }, () => {
        const mutant = Buffer.from(bytes);
        for (let flips = prng.integer(4); flips >= 0; flips--) {
          mutant[prng.integer(mutant.length)] = prng.integer(256);
        }
        return mutant;
      });
      socket.end(Buffer.concat([prng.integer(4) === 0 ? Buffer.alloc(0) : greeting, ...packets]));
      socket.resume();
      await closed(socket);
    }
    expect(kept.seen).toEqual([]);
    expect(faults).toEqual([]);
    expect((await link("edge-1").link.send(record(1))).have).toEqual([[1, 1]]);
  }, 60_000);

  test("protocol 3.1 is told that it is not served", async () => {
    const { port } = await host();
    const socket = raw(port);
    const answers: Packet[] = [];
    const reader = parser({ protocolVersion: 3 });
    reader.on("packet", (packet) => answers.push(packet));
    socket.on("data", (chunk: Buffer) => reader.parse(chunk));
    const old = { protocolId: "MQIsdp", protocolVersion: 3 } as const;
    socket.write(generate({ cmd: "connect", clientId: "a", keepalive: 0, ...old }));
    await closed(socket);
    expect(answers).toMatchObject([{ cmd: "connack", returnCode: 1 }]);
  });
});

function raw(port: number): Socket {
  const socket = connectSocket(port, "127.0.0.1");
  socket.on("error", () => {});
  cleanups.push(() => socket.destroy());
  return socket;
}

function closed(socket: Socket): Promise<unknown> {
  if (socket.closed) return Promise.resolve();
  if (!socket.isPaused()) socket.resume();
  return new Promise((resolve) => socket.once("close", resolve));
}
