/**
 * The part of D1 over MQTT: packets that claim to be far larger than any record, before and after
 * the greeting, hundreds at once, and a gzip bomb as a record, against a collector that hosts its
 * broker.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generate } from "mqtt-packet";
import { agentTopics } from "../../wire/mqtt-messages.ts";
import { portOf, startBrunt } from "../processes/brunt-process.ts";
import { pause } from "../processes/wait.ts";

export interface MqttBombs {
  readonly n: number;
  /** Connections that were not ended. */
  readonly notRefused: number;
  readonly rssGrowthMiB: number;
}

const mebibyte = 2 ** 20;
const concurrent = 200;
const endedWithinMs = 5_000;
const rssEveryMs = 100;
/** As long as a packet can be: 2^28 - 1. */
const hugeLength = Uint8Array.of(0xff, 0xff, 0xff, 0x7f);
const publishType = 0x32;
const connectType = 0x10;

export async function mqttBombs(gzipBomb: Uint8Array): Promise<MqttBombs> {
  const folder = mkdtempSync(join(tmpdir(), "brunt-bombs-"));
  const argv = ["collector", "--port", "0", "--mqtt-listen", "0", "--data-dir", folder];
  const collector = startBrunt(argv);
  const port = await portOf(collector, "mqttPort");
  const before = collector.rssBytes();
  let most = before;
  const watch = setInterval(() => {
    most = Math.max(most, collector.rssBytes());
  }, rssEveryMs);
  const filling = Buffer.alloc(mebibyte);
  const huge = (type: number) => Buffer.concat([Buffer.of(type), hugeLength, filling]);
  const kinds = [
    () => huge(connectType),
    (name: string) => Buffer.concat([greeting(name), huge(publishType)]),
    (name: string) => Buffer.concat([greeting(name), record(name, gzipBomb)]),
  ];
  const ended = await Promise.all(
    kinds.flatMap((bytesOf, kind) =>
      Array.from({ length: concurrent }, (_, at) => isEnded(port, bytesOf(`bomb-${kind}-${at}`))),
    ),
  );
  clearInterval(watch);
  await collector.kill("SIGTERM");
  rmSync(folder, { recursive: true, force: true });
  return {
    n: ended.length,
    notRefused: ended.filter((isIt) => !isIt).length,
    rssGrowthMiB: Math.round((most - before) / mebibyte),
  };
}

function greeting(name: string): Buffer {
  const clientId = `brunt-agent-${name}`;
  return generate({ cmd: "connect", clientId, protocolVersion: 5, protocolId: "MQTT" });
}

/** A megabyte that would be a gigabyte: larger than a record may be, whatever it is. */
function record(name: string, payload: Uint8Array): Buffer {
  const topic = agentTopics(name).up;
  const about = { topic, payload: Buffer.from(payload), messageId: 1 } as const;
  const flags = { qos: 1, dup: false, retain: false } as const;
  return generate({ cmd: "publish", ...about, ...flags }, { protocolVersion: 5 });
}

/** Whether the collector ends a connection on which this comes. */
async function isEnded(port: number, bytes: Uint8Array): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  const closed = new Promise<boolean>((resolve) => socket.once("close", () => resolve(true)));
  socket.on("error", () => {});
  socket.resume();
  socket.write(bytes);
  const isIt = await Promise.race([closed, pause(endedWithinMs).then(() => false)]);
  socket.destroy();
  return isIt;
}
