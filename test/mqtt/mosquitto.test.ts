/** Link and collector's end over a real Mosquitto. */
import { execFileSync } from "node:child_process";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { OperationalError } from "../../base/errors.ts";
import type { Meter } from "../../base/meter.ts";
import type { MqttAddress } from "../../cli/mqtt-client.ts";
import { bytesOf, metric } from "../collector/fixture.ts";
import { temporaryDirectory } from "../collector/temporary.ts";
import { until } from "../processes/wait.ts";
import { createCertificates, hasOpenssl } from "./certificates.ts";
import { createCuttableProxy } from "./cuttable-proxy.ts";
import {
  createMosquitto,
  hasMosquitto,
  type Mosquitto,
  type MosquittoOptions,
} from "./mosquitto.ts";
import {
  addressOf,
  createKeepingLink,
  type EndOptions,
  startCollectorEnd,
  startLink,
} from "./rig.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const agent = "edge-1";
const record = (seq: number) => bytesOf({ seq, window: seq, agent, spans: [{}] });
const soon = { withinMs: 10_000 };

async function startBroker(options: MosquittoOptions = {}): Promise<Mosquitto> {
  const broker = await createMosquitto(options);
  cleanups.push(() => broker.remove());
  await broker.start();
  return broker;
}

interface Check extends EndOptions {
  readonly broker?: MosquittoOptions;
  readonly scheme?: "mqtt" | "mqtts";
  /** The link goes by this port, not to the broker's own. */
  readonly by?: (port: number) => Promise<number>;
  readonly agentAddress?: Partial<MqttAddress>;
  readonly collectorAddress?: Partial<MqttAddress>;
}

/** A broker, a collector's end and one agent's link, all up. */
async function check(options: Check = {}) {
  const { scheme = "mqtt", agentAddress = {}, collectorAddress = agentAddress } = options;
  const broker = await startBroker(options.broker);
  const linkPort = (await options.by?.(broker.port)) ?? broker.port;
  const kept = createKeepingLink();
  kept.current = {
    revision: 2,
    items: [{ service: "s", operation: "o", kind: "server", peer: "", slowBucket: 7 }],
  };
  const url = (port: number) => `${scheme}://127.0.0.1:${port}`;
  const collector = startCollectorEnd(kept, addressOf(url(broker.port), collectorAddress), options);
  cleanups.push(() => collector.client.shutdown());
  const end = startLink(agent, addressOf(url(linkPort), agentAddress), options);
  cleanups.push(() => end.link.close());
  await isUp(collector.meter, "brunt_collector_mqtt_connected");
  await isUp(end.meter, "brunt_agent_mqtt_connected");
  return { broker, kept, collector, link: end.link, meter: end.meter };
}

function isUp(meter: Meter, name: string): Promise<void> {
  return until(name, () => metric(meter, name) === 1, soon);
}

describe.skipIf(!hasMosquitto)("over Mosquitto", () => {
  test.each([5, 4] as const)("protocol %d: all that is said, both ways", async (version) => {
    const { link, kept, collector, meter } = await check({ version });
    const [first, second, beat] = await Promise.all([
      link.send(record(1)),
      link.send(record(2)),
      link.send(bytesOf({ seq: 2, agent })),
    ]);
    expect(kept.seen.sort()).toEqual(["1 1", "1 2", "1 2"]);
    expect(first.have[0]?.[0]).toBe(1);
    expect(second.have[0]?.[1]).toBe(2);
    expect(beat.thresholdsRevision).toBe(2);
    const knows = () => link.thresholds().then(Boolean, () => false);
    await until("thresholds", knows, soon);
    expect(await link.thresholds()).toEqual(kept.current);
    const agents = () => metric(collector.meter, "brunt_collector_mqtt_agents");
    await until("online", () => agents() === 1, soon);
    await link.close();
    await until("gone", () => agents() === 0, soon);
    expect(metric(meter, "brunt_agent_mqtt_timeouts_total")).toBe(0);
  });

  test("a refusal comes back with its code and when to try again", async () => {
    const { link, kept } = await check();
    kept.refusals.push(
      new OperationalError("SKETCH_INVALID", "no"),
      new OperationalError("OVERLOADED", "later", { retryable: true, retryAfterMs: 700 }),
    );
    const final = { code: "SKETCH_INVALID", retryable: false };
    await expect(link.send(record(1))).rejects.toMatchObject(final);
    const passing = { code: "OVERLOADED", retryable: true, retryAfterMs: 700 };
    await expect(link.send(record(2))).rejects.toMatchObject(passing);
  });

  test("a cut connection leaves the last will, and comes up again", async () => {
    let cut = (): void => {};
    const { link, collector, meter } = await check({
      async by(port) {
        const proxy = await createCuttableProxy(port);
        cleanups.push(() => proxy.close());
        cut = proxy.cut;
        return proxy.port;
      },
    });
    await link.send(record(1));
    cut();
    const gone = () => metric(collector.meter, "brunt_collector_mqtt_gone_total") === 1;
    await until("the last will", gone, soon);
    expect((await link.send(record(2))).have).toEqual([[1, 2]]);
    expect(metric(meter, "brunt_agent_mqtt_connects_total")).toBe(2);
  });

  test.skipIf(!hasOpenssl)("TLS, each side known by its certificate", async () => {
    const made = createCertificates();
    cleanups.push(() => made.remove());
    const { caFile, server, client } = made;
    const lines = [
      `cafile ${caFile}`,
      `certfile ${server.certFile}`,
      `keyfile ${server.keyFile}`,
      "require_certificate true",
      "use_identity_as_username true",
    ];
    const { link, broker } = await check({
      broker: { lines },
      scheme: "mqtts",
      agentAddress: { caFile, ...client },
    });
    expect((await link.send(record(1))).have).toEqual([[1, 1]]);
    for (const [reason, address] of [
      [/self-signed|unable to (get|verify)/, { ...client }],
      [/certificate required/, { caFile }],
      [/ENOENT.*nowhere/, { caFile, certFile: "/nowhere", keyFile: "/nowhere" }],
    ] as const) {
      const stranger = startLink("b", addressOf(`mqtts://127.0.0.1:${broker.port}`, address));
      await until(String(reason), () => stranger.reasons.length > 0, soon);
      expect(stranger.reasons[0]).toMatch(reason);
      expect(metric(stranger.meter, "brunt_agent_mqtt_connects_total")).toBe(0);
      await stranger.link.close();
    }
  });

  test("names, passwords and the access rules of docs/install.md", async () => {
    const folder = temporaryDirectory();
    const [passwords, rules, secret] = ["passwords", "acl", "secret"].map((name) =>
      join(folder, name),
    ) as [string, string, string];
    for (const [index, user] of [agent, "collector", "edge-2"].entries()) {
      const flags = index === 0 ? ["-c", "-b"] : ["-b"];
      execFileSync("/usr/bin/mosquitto_passwd", [...flags, passwords, user, `pass of ${user}`]);
    }
    chmodSync(passwords, 0o644);
    writeFileSync(rules, accessRules);
    writeFileSync(secret, `pass of ${agent}\n`);
    const { link, broker, kept } = await check({
      broker: {
        lines: ["allow_anonymous false", `password_file ${passwords}`, `acl_file ${rules}`],
      },
      agentAddress: { user: agent, passwordFile: secret },
      collectorAddress: { user: "collector", password: "pass of collector" },
    });
    expect((await link.send(record(1))).have).toEqual([[1, 1]]);
    await until("thresholds", () => link.thresholds().then(Boolean, () => false), soon);
    const url = `mqtt://127.0.0.1:${broker.port}`;
    const thief = startLink(agent, addressOf(url, { user: "edge-2", password: "pass of edge-2" }));
    await expect(thief.link.send(record(2))).rejects.toMatchObject({
      retryable: true,
      message: expect.stringMatching(/refuses it: .*[Nn]ot authorized/),
    });
    await thief.link.close();
    const stranger = startLink("edge-2", addressOf(url, { user: "edge-2", password: "wrong" }));
    await until("a reason", () => stranger.reasons.length > 0, soon);
    expect(stranger.reasons[0]).toMatch(/[Nn]ot authorized|password/);
    await stranger.link.close();
    expect(kept.seen).toEqual(["1 1"]);
  });

  test.each([
    ["SIGTERM", true],
    ["SIGTERM", false],
    ["SIGKILL", true],
    ["SIGKILL", false],
  ] as const)(
    "ended with %s, persistence %s: every batch once, for certain",
    async (signal, persistence) => {
      const { link, kept, broker } = await check({ broker: { persistence } });
      const acknowledged = new Set<number>();
      const recordsMax = 60;
      const sendAll = async (): Promise<void> => {
        for (let seq = 1; seq <= recordsMax; ) {
          const took = await link.send(record(seq)).then(Boolean, () => false);
          if (took) acknowledged.add(seq++);
        }
      };
      const sending = sendAll();
      for (const at of [10, 30, 50]) {
        await until(`${at} records`, () => acknowledged.size >= at, {
          withinMs: 20_000,
          everyMs: 1,
        });
        await broker.end(signal);
        await broker.start();
      }
      await sending;
      expect(acknowledged.size).toBe(recordsMax);
      const last = await link.send(bytesOf({ seq: recordsMax, agent }));
      expect(last.have).toEqual([[1, recordsMax]]);
      expect(new Set(kept.seen).size).toBe(recordsMax);
    },
    90_000,
  );
});

const accessRules = `
pattern write brunt/default/%u/up
pattern write brunt/default/%u/status
pattern read brunt/default/%u/down
pattern read brunt/default/thresholds/#

user collector
topic read brunt/default/+/up
topic read brunt/default/+/status
topic write brunt/default/+/down
topic write brunt/default/thresholds/#
`;
