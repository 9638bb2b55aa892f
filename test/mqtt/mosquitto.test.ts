/** Link and collector's end over a real Mosquitto. */
import { afterEach, describe, expect, test } from "vitest";
import { OperationalError } from "../../base/errors.ts";
import type { MqttAddress } from "../../cli/mqtt-client.ts";
import { bytesOf, metric } from "../collector/fixture.ts";
import { until } from "../processes/wait.ts";
import {
  createMosquitto,
  hasMosquitto,
  type Mosquitto,
  type MosquittoOptions,
} from "./mosquitto.ts";
import { addressOf, createKeepingLink, startCollectorEnd, startLink } from "./rig.ts";

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function startBroker(options?: MosquittoOptions): Promise<Mosquitto> {
  const broker = await createMosquitto(options);
  cleanups.push(() => broker.remove());
  await broker.start();
  return broker;
}

/** A broker, a collector's end and one agent's link, all up. */
async function check(
  options: MosquittoOptions = {},
  more: (port: number) => Partial<MqttAddress> & { readonly url?: string } = () => ({}),
) {
  const broker = await startBroker(options);
  const address = addressOf(`mqtt://127.0.0.1:${broker.port}`, more(broker.port));
  const kept = createKeepingLink();
  kept.current = {
    revision: 2,
    items: [{ service: "s", operation: "o", kind: "server", peer: "", slowBucket: 7 }],
  };
  const end = startCollectorEnd(kept, address);
  cleanups.push(() => end.client.shutdown());
  const { link, meter } = startLink("edge/1", address);
  cleanups.push(() => link.close());
  await isUp(end.meter, "brunt_collector_mqtt_connected");
  await isUp(meter, "brunt_agent_mqtt_connected");
  return { broker, address, kept, end, link, meter };
}

function isUp(meter: Parameters<typeof metric>[0], name: string): Promise<void> {
  return until(name, () => metric(meter, name) === 1, { withinMs: 35_000 });
}

const record = (seq: number, stream = 1) =>
  bytesOf({ stream, seq, window: seq, agent: "edge/1", spans: [{}] });

describe.skipIf(!hasMosquitto)("over Mosquitto", () => {
  test("batches are acknowledged, heartbeats too; thresholds and status are retained", async () => {
    const { link, kept, end, meter } = await check();
    const [first, second, beat] = await Promise.all([
      link.send(record(1)),
      link.send(record(2)),
      link.send(bytesOf({ seq: 2, agent: "edge/1" })),
    ]);
    expect(kept.seen.sort()).toEqual(["1 1", "1 2", "1 2"]);
    expect(first.have[0]?.[0]).toBe(1);
    expect(second.have[0]?.[1]).toBe(2);
    expect(beat.thresholdsRevision).toBe(2);
    await until(
      "thresholds",
      () =>
        link.thresholds().then(
          () => true,
          () => false,
        ),
      {
        withinMs: 5_000,
      },
    );
    expect(await link.thresholds()).toEqual(kept.current);
    await until("status", () => metric(end.meter, "brunt_collector_mqtt_agents") === 1, {
      withinMs: 5_000,
    });
    await link.close();
    await until("gone", () => metric(end.meter, "brunt_collector_mqtt_gone_total") === 1, {
      withinMs: 5_000,
    });
    expect(metric(meter, "brunt_agent_mqtt_timeouts_total")).toBe(0);
  });

  test("a refusal comes back with its code and when to try again", async () => {
    const { link, kept } = await check();
    kept.refusals.push(
      new OperationalError("SKETCH_INVALID", "no"),
      new OperationalError("OVERLOADED", "later", { retryable: true, retryAfterMs: 700 }),
    );
    await expect(link.send(record(1))).rejects.toMatchObject({
      code: "SKETCH_INVALID",
      retryable: false,
    });
    await expect(link.send(record(2))).rejects.toMatchObject({
      code: "OVERLOADED",
      retryable: true,
      retryAfterMs: 700,
    });
  });
});
