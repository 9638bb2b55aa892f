import { describe, expect, test } from "vitest";
import { ackRangesMax, parseAck, parseThresholds, thresholdsMax } from "../../wire/agent-link.ts";

const ack = {
  have: [
    [1, 4],
    [6, 6],
  ],
  thresholdsRevision: 3,
  collectorTimeMs: 1_700_000_000_000,
};
const item = { service: "shop", operation: "GET /", kind: "server", peer: "", slowBucket: 640 };

function check(parse: (raw: unknown) => { ok: boolean }, raw: unknown): unknown {
  const result = parse(raw) as ReturnType<typeof parseAck> | ReturnType<typeof parseThresholds>;
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
