import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Threshold, Thresholds } from "../../wire/agent-link.ts";
import {
  agentTopics,
  decodeAnswer,
  encodeAnswer,
  encodeThresholds,
  type MqttMessage,
  mqttRecordBytesMax,
  readAgentTopic,
  thresholdsPartOf,
} from "../../wire/mqtt-messages.ts";
import { ThresholdsParts } from "../../wire/thresholds-parts.ts";

const utf8 = new TextEncoder();

describe("topics", () => {
  test("a plain name is a level as it is", () => {
    expect(agentTopics("edge-7")).toEqual({
      up: "brunt/default/edge-7/up",
      down: "brunt/default/edge-7/down",
      status: "brunt/default/edge-7/status",
    });
  });

  test.each(["a/b", "+", "#", "a b", "%2F", "Zürich", "\u0000", "up", "\ud83d\ude80"])(
    "any name is one level without wildcards, and comes back: %j",
    (agent) => {
      for (const [kind, topic] of Object.entries(agentTopics(agent))) {
        expect(topic.split("/")).toHaveLength(4);
        expect(topic).not.toMatch(/[+#\0]/);
        expect(readAgentTopic(topic)).toEqual({ agent, kind });
      }
    },
  );

  test("every name there can be", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, maxLength: 128, unit: "binary" }), (agent) => {
        const whole = new TextDecoder().decode(utf8.encode(agent));
        const { up } = agentTopics(agent);
        expect(up.length).toBeLessThan(1_600);
        expect(readAgentTopic(up)).toEqual({ agent: whole, kind: "up" });
      }),
      { seed: 1 },
    );
  });

  test.each([
    "",
    "brunt/default//up",
    "brunt/default/a",
    "brunt/default/a/up/more",
    "brunt/default/a/sideways",
    "brunt/other/a/up",
    "other/default/a/up",
    "brunt/default/%zz/up",
    "brunt/default/%61/up",
    "brunt/default/thresholds",
  ])("no agent has %j", (topic) => {
    expect(readAgentTopic(topic)).toBeUndefined();
  });
});

describe("answers", () => {
  const batch = { streamId: "00112233445566778899aabbccddeeff", seq: 4 };

  test("one comes back from its bytes", () => {
    const answer = { ...batch, nack: { code: "OVERLOADED", message: "later", retryAfterMs: 9 } };
    expect(decodeAnswer(encodeAnswer(answer))).toEqual({ ok: true, value: answer });
  });

  test.each<[string, Uint8Array, string]>([
    ["too long", new Uint8Array(20_000), "exceeds 16384"],
    ["no JSON", utf8.encode("{"), "not JSON"],
    ["no UTF-8", Uint8Array.of(0x22, 0xff, 0x22), "not JSON"],
    ["another shape", utf8.encode("[]"), "must be an object"],
  ])("%s is refused", (_, bytes, expected) => {
    const answer = decodeAnswer(bytes);
    expect(answer.ok ? "" : answer.error.message).toContain(expected);
  });
});

describe("thresholds", () => {
  const item: Threshold = {
    service: "shop",
    operation: "GET /",
    kind: "server",
    peer: "",
    slowBucket: 640,
  };
  const many = (revision: number, count: number): Thresholds => ({
    revision,
    items: Array.from({ length: count }, (_, at) => ({ ...item, operation: `GET /ü/${at}` })),
  });

  /** What an agent has after these messages. */
  function check(messages: readonly MqttMessage[]): Thresholds | undefined {
    const parts = new ThresholdsParts();
    let whole: Thresholds | undefined;
    for (const message of messages) {
      const result = parts.add(message);
      expect(result.ok).toBe(true);
      if (result.ok) whole = result.value ?? whole;
    }
    return whole;
  }

  test.each([0, 1, 8_000])("%d of them come back, in packets that are small enough", (count) => {
    const thresholds = many(3, count);
    const messages = encodeThresholds(thresholds);
    expect(messages.length).toBe(count > 1 ? 3 : 1);
    for (const { topic, payload } of messages) {
      expect(payload.length).toBeLessThanOrEqual(mqttRecordBytesMax);
      expect(thresholdsPartOf(topic)).toBeDefined();
    }
    expect(check(messages)).toEqual(thresholds);
    expect(check(messages.toReversed())).toEqual(thresholds);
  });

  test("parts of two revisions are never mixed", () => {
    const old = encodeThresholds(many(3, 8_000));
    const young = encodeThresholds(many(4, 8_000));
    expect(check([...old.slice(0, 2), ...young.slice(2)])).toBeUndefined();
    expect(check([...old, ...young])?.revision).toBe(4);
  });

  test("a shorter set does not wait for the last parts of a longer one", () => {
    expect(check([...encodeThresholds(many(3, 8_000)), ...encodeThresholds(many(4, 1))])).toEqual(
      many(4, 1),
    );
  });

  test("one that was taken away is not there", () => {
    const [first] = encodeThresholds(many(3, 1));
    const { topic } = first as MqttMessage;
    expect(check([{ topic, payload: new Uint8Array() }])).toBeUndefined();
  });

  test.each<[string, string, string]>([
    ["brunt/default/thresholds", "no", "not JSON"],
    ["brunt/default/thresholds", '{"revision":1,"items":[],"parts":0}', "parts must be"],
    ["brunt/default/thresholds", '{"revision":1,"items":7,"parts":1}', "items must be"],
    ["brunt/default/thresholds/256", "{}", "has no thresholds"],
    ["brunt/default/thresholds/01", "{}", "has no thresholds"],
  ])("%s with %s is refused", (topic, text, expected) => {
    const result = new ThresholdsParts().add({ topic, payload: utf8.encode(text) });
    expect(result.ok ? "" : result.error.message).toContain(expected);
  });
});
