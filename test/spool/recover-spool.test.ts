/** What is concluded from records that are in no file any more. */
import { expect, test } from "vitest";
import { SpoolReading } from "../../agent/spool/recover-spool.ts";
import { encodeSpoolRecord, type RecordFacts } from "../../agent/spool/spool-record.ts";
import { encodeSketchBatch } from "../../wire/sketch-batch.ts";

const streamId = "00112233445566778899aabbccddeeff";
const windowStartMs = 1_800_000_000_000;

function factsOf(record: Pick<RecordFacts, "seq" | "kind" | "spans" | "streamSpans">): RecordFacts {
  return {
    ...{ ...record, streamId, errors: 0, windowStartMs, watermarkMs: 0, sealedMs: 0 },
    ...{ isBlind: false, origin: undefined, before: [] },
  };
}

test("what a tombstone declares of a hole is not declared again with the rest of it", () => {
  const tombstone = encodeSketchBatch({
    ...{ kind: "tombstone", cause: "evicted", agent: "a", streamId, seq: 4, streamSpans: 12 },
    lost: [{ seq: 2, spans: 7, errors: 0, windowStartMs }],
    ...{ windowLengthMs: 10_000, watermarkMs: 0, hashKeyId: "", thresholdsRevision: 0 },
  });
  const payloads = [
    encodeSpoolRecord(
      factsOf({ seq: 1, kind: "window", spans: 5, streamSpans: 5 }),
      new Uint8Array(9),
    ),
    encodeSpoolRecord(factsOf({ seq: 4, kind: "tombstone", spans: 0, streamSpans: 12 }), tombstone),
  ];
  const reading = new SpoolReading();
  reading.add({ path: "/spool/1.spool", payloads, offsets: [0, 100] });
  expect(reading.finish().missing).toEqual([{ seq: 3, spans: 0, errors: 0, windowStartMs }]);
});
