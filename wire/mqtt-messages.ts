/**
 * What agents and a collector say to each other over MQTT: topics, and the JSON that comes down.
 * Every message is QoS 1.
 *
 *   brunt/<tenant>/<agent>/up      a sketch batch's bytes, as they go over HTTP
 *   brunt/<tenant>/<agent>/down    a BatchAnswer, for one batch
 *   brunt/<tenant>/<agent>/status  `online` or, as the agent's last will, `gone`; retained
 *   brunt/<tenant>/thresholds      Thresholds; retained. What does not fit one packet goes on in
 *                                  …/thresholds/1, …/thresholds/2 and so on
 *
 * An agent's name is percent-encoded as in a URL, so that it is one level of a topic whatever it
 * holds.
 */
import { ok, type Result, refuse } from "../base/result.ts";
import { type BatchAnswer, parseBatchAnswer, type Thresholds } from "./agent-link.ts";

export interface MqttMessage {
  readonly topic: string;
  readonly payload: Uint8Array;
}

export interface AgentTopics {
  readonly up: string;
  readonly down: string;
  readonly status: string;
}

/** Where a message of an agent comes from, or one for it goes. */
export interface AgentTopic {
  readonly agent: string;
  readonly kind: keyof AgentTopics;
}

/** The whole of a packet; what public brokers take at least. */
export const mqttPacketBytesMax = 262_144;
/** What is left of a packet for its topic, its numbers and its properties. */
const envelopeBytesMax = 2_048;
export const mqttRecordBytesMax = mqttPacketBytesMax - envelopeBytesMax;

const utf8 = new TextEncoder();
const utf8Loose = new TextDecoder("utf-8", { ignoreBOM: true });
const utf8Strict = new TextDecoder("utf-8", { fatal: true });
/** There is one tenant so far. */
const root = "brunt/default";
const thresholdsTopic = `${root}/thresholds`;
const agentTopicKinds = ["up", "down", "status"] as const;

/** Filters of subscriptions: everything agents say, and what is said to all of them. */
export const mqttFilters = {
  up: `${root}/+/up`,
  status: `${root}/+/status`,
  thresholds: `${thresholdsTopic}/#`,
} as const;

export const agentStatuses = { online: "online", gone: "gone" } as const;

export function agentTopics(agent: string): AgentTopics {
  // Half of a surrogate pair has no UTF-8, and becomes what it is in the bytes of a batch.
  const own = `${root}/${encodeURIComponent(utf8Loose.decode(utf8.encode(agent)))}`;
  return { up: `${own}/up`, down: `${own}/down`, status: `${own}/status` };
}

/** What a topic says of an agent; undefined for any topic that no agent has. */
export function readAgentTopic(topic: string): AgentTopic | undefined {
  const [tenantRoot, tenant, level = "", last = "", ...rest] = topic.split("/");
  const kind = agentTopicKinds.find((known) => known === last);
  if (`${tenantRoot}/${tenant}` !== root || kind === undefined || rest.length > 0) return undefined;
  const agent = decodeLevel(level);
  // One spelling only, so that two topics are never one agent.
  return agent !== undefined && agentTopics(agent)[kind] === topic ? { agent, kind } : undefined;
}

function decodeLevel(level: string): string | undefined {
  try {
    return level === "" ? undefined : decodeURIComponent(level);
  } catch {
    return undefined;
  }
}

/** 64 ranges and a message of 500 characters fit many times. */
const answerBytesMax = 16_384;

export function encodeAnswer(answer: BatchAnswer): Uint8Array {
  return utf8.encode(JSON.stringify(answer));
}

export function decodeAnswer(bytes: Uint8Array): Result<BatchAnswer> {
  const raw = parseJson(bytes, answerBytesMax);
  return raw.ok ? parseBatchAnswer(raw.value) : raw;
}

export function parseJson(bytes: Uint8Array, bytesMax: number): Result<unknown> {
  if (bytes.length > bytesMax) {
    return refuse("BATCH_INVALID", `message of ${bytes.length} bytes exceeds ${bytesMax}`);
  }
  try {
    return ok(JSON.parse(utf8Strict.decode(bytes)));
  } catch {
    return refuse("BATCH_INVALID", "message is not JSON");
  }
}

/** 64 MiB; more thresholds than a collector has. What is beyond is not sent. */
const partsMax = 256;
/** `{"revision":…,"part":…,"parts":…,"items":[…]}` around the items. */
const partFrameBytes = 128;

/** Thresholds as retained messages; an earlier, longer set's last parts are overwritten by none. */
export function encodeThresholds({ revision, items }: Thresholds): readonly MqttMessage[] {
  const parts: string[][] = [[]];
  let size = 0;
  for (const item of items) {
    const text = JSON.stringify(item);
    const bytes = utf8.encode(text).length + 1;
    if (size + bytes > mqttRecordBytesMax - partFrameBytes) {
      if (parts.length === partsMax) break;
      parts.push([]);
      size = 0;
    }
    parts[parts.length - 1]?.push(text);
    size += bytes;
  }
  const head = (part: number): string =>
    `{"revision":${revision},"part":${part},"parts":${parts.length},"items":[`;
  return parts.map((texts, part) => ({
    topic: part === 0 ? thresholdsTopic : `${thresholdsTopic}/${part}`,
    payload: utf8.encode(`${head(part)}${texts.join(",")}]}`),
  }));
}

/** Which part a topic carries; undefined when it is another topic. */
export function thresholdsPartOf(topic: string): number | undefined {
  if (topic === thresholdsTopic) return 0;
  const [, digits] = /^brunt\/default\/thresholds\/([1-9]\d{0,2})$/.exec(topic) ?? [];
  const part = Number(digits);
  return part < partsMax ? part : undefined;
}
