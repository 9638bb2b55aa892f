import { describe, expect, test } from "vitest";
import type { Result } from "../../base/result.ts";
import {
  ackRangesMax,
  parseAck,
  parseBatchAnswer,
  parseNack,
  parseThresholds,
  refusalOf,
  remedyOf,
  thresholdsMax,
} from "../../wire/agent-link.ts";

const ack = {
  have: [
    [1, 4],
    [6, 6],
  ],
  thresholdsRevision: 3,
  collectorTimeMs: 1_700_000_000_000,
};
const item = { service: "shop", operation: "GET /", kind: "server", peer: "", slowBucket: 640 };

function check<T>(parse: (raw: unknown) => Result<T>, raw: unknown): T | string {
  const result = parse(raw);
  return result.ok ? result.value : result.error.message;
}

describe("acknowledgements", () => {
  test("one is read back from its JSON, without what is not known", () => {
    const json = JSON.stringify({ ...ack, later: true });
    expect(check(parseAck, JSON.parse(json))).toEqual(ack);
    expect(check(parseAck, { ...ack, have: [] })).toEqual({ ...ack, have: [] });
  });

  test.each<[string, unknown, string]>([
    ["null", null, "must be an object"],
    ["a list", [], "must be an object"],
    ["no ranges", { ...ack, have: undefined }, "have must be a list"],
    ["a range from 0", { ...ack, have: [[0, 1]] }, "have[0]"],
    ["a range backwards", { ...ack, have: [[5, 4]] }, "have[0]"],
    [
      "ranges that touch",
      {
        ...ack,
        have: [
          [1, 4],
          [5, 6],
        ],
      },
      "have[1]",
    ],
    [
      "ranges out of order",
      {
        ...ack,
        have: [
          [6, 7],
          [1, 2],
        ],
      },
      "have[1]",
    ],
    ["a range of three", { ...ack, have: [[1, 2, 3]] }, "have[0]"],
    ["a range of text", { ...ack, have: [["1", "2"]] }, "have[0]"],
    ["a range without end", { ...ack, have: [[1, Number.POSITIVE_INFINITY]] }, "have[0]"],
    ["too many ranges", { ...ack, have: Array(ackRangesMax + 1).fill([1, 1]) }, "more than"],
    ["half a revision", { ...ack, thresholdsRevision: 0.5 }, "thresholdsRevision"],
    ["no time", { ...ack, collectorTimeMs: "now" }, "collectorTimeMs"],
  ])("%s is refused", (_, raw, expected) => expect(check(parseAck, raw)).toContain(expected));
});

describe("refusals", () => {
  const nack = { code: "OVERLOADED", message: "try again", retryAfterMs: 5_000 };

  test("one is read back from its JSON, cut to what anybody reads", () => {
    expect(check(parseNack, JSON.parse(JSON.stringify(nack)))).toEqual(nack);
    const { retryAfterMs: _, ...plain } = nack;
    expect(check(parseNack, plain)).toEqual(plain);
    const long = { ...nack, message: "x".repeat(9_999), retryAfterMs: 1e12 };
    expect(check(parseNack, long)).toEqual({
      ...nack,
      message: "x".repeat(500),
      retryAfterMs: 3_600_000,
    });
  });

  test.each<[string, unknown, string]>([
    ["null", null, "must be an object"],
    ["no code", { ...nack, code: undefined }, "code must be"],
    ["a code to break logs with", { ...nack, code: "A\nB" }, "code must be"],
    ["no message", { ...nack, message: 5 }, "message must be"],
    ["a time in the past", { ...nack, retryAfterMs: -1 }, "retryAfterMs"],
  ])("%s is refused", (_, raw, expected) => expect(check(parseNack, raw)).toContain(expected));

  test.each([
    ["BATCH_INVALID", "lose"],
    ["BATCH_TOO_LARGE", "lose"],
    ["SKETCH_INVALID", "lose"],
    ["STREAM_FORKED", "fork"],
    ["STREAM_GAPS", "reorder"],
    ["BATCH_VERSION", "keep"],
    ["HASH_KEY_MISMATCH", "keep"],
    ["STORE_WRITE", "keep"],
    ["OF_A_LATER_VERSION", "keep"],
    ["constructor", "keep"],
  ])("%s: %s", (code, remedy) => expect(remedyOf(code)).toBe(remedy));

  test("as errors they keep their code, what is unknown says it in its message", () => {
    expect(refusalOf(nack)).toMatchObject({ ...nack, retryable: true });
    const forked = { code: "STREAM_FORKED", message: "take another" };
    expect(refusalOf(forked)).toMatchObject({ ...forked, retryable: false });
    expect(refusalOf({ code: "LATER", message: "no" })).toMatchObject({
      code: "COLLECTOR_UNREACHABLE",
      message: "LATER: no",
      retryable: true,
    });
    expect(refusalOf({ code: "toString", message: "no" }).code).toBe("COLLECTOR_UNREACHABLE");
  });
});

describe("answers that come by themselves", () => {
  const record = { streamId: "00112233445566778899aabbccddeeff", seq: 4 };
  const nack = { code: "OVERLOADED", message: "try again" };

  test.each([
    { ...record, ack },
    { ...record, nack },
    { ...record, seq: 0, ack },
    { ...record, heartbeat: 4_294_967_295, ack },
  ])("%j", (raw) => {
    expect(check(parseBatchAnswer, JSON.parse(JSON.stringify(raw)))).toEqual(raw);
  });

  test.each<[string, unknown, string]>([
    ["text", "ack", "must be an object"],
    ["no stream", { seq: 1, ack }, "streamId"],
    ["no number", { ...record, seq: "1", ack }, "seq must be"],
    ["neither", record, "refusal must be an object"],
    ["a broken acknowledgement", { ...record, ack: { have: 1 } }, "have must be"],
  ])("%s is refused", (_, raw, expected) => {
    expect(check(parseBatchAnswer, raw)).toContain(expected);
  });
});

describe("thresholds", () => {
  test("they are read back from their JSON", () => {
    const thresholds = { revision: 2, items: [item, { ...item, operation: "__proto__" }] };
    expect(check(parseThresholds, JSON.parse(JSON.stringify(thresholds)))).toEqual(thresholds);
  });

  test.each<[string, unknown, string]>([
    ["text", "thresholds", "must be an object"],
    ["no revision", { items: [] }, "revision"],
    ["no items", { revision: 1 }, "items must be a list"],
    ["too many items", { revision: 1, items: new Array(thresholdsMax + 1) }, "more than 400000"],
    ["an item that is null", { revision: 1, items: [item, null] }, "items[1]"],
    ["a missing peer", { revision: 1, items: [{ ...item, peer: undefined }] }, "items[0]"],
    ["a fraction of a bucket", { revision: 1, items: [{ ...item, slowBucket: 1.5 }] }, "items[0]"],
    ["no number", { revision: 1, items: [{ ...item, slowBucket: null }] }, "items[0]"],
  ])("%s is refused", (_, raw, expected) => {
    expect(check(parseThresholds, raw)).toContain(expected);
  });
});
