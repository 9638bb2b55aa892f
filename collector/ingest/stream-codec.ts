/** The bytes of what the collector remembers of streams: the head of each log file. */
import { type ByteReader, createByteReader, createByteWriter } from "../../base/bytes.ts";
import { lossCauses } from "../../wire/lost-records.ts";
import { countMissing } from "./intervals.ts";
import type { StreamState } from "./stream-state.ts";

const stateVersion = 1;

export function encodeStreams(streams: Iterable<StreamState>): Uint8Array {
  const all = [...streams];
  const writer = createByteWriter();
  const pairs = (list: Iterable<readonly [number, number]>, count: number): void => {
    writer.varint(count);
    for (const [first, second] of list) {
      writer.varint(first);
      writer.varint(second);
    }
  };
  writer.u8(stateVersion);
  writer.varint(all.length);
  for (const stream of all) {
    writer.string(stream.id);
    writer.string(stream.agent);
    writer.string(stream.hashKeyId);
    writer.f64(stream.weight);
    for (const name of counts) writer.varint(stream[name]);
    for (const cause of lossCauses) writer.varint(stream.lostSpans.get(cause) ?? 0);
    pairs(stream.intervals, stream.intervals.length);
    pairs(stream.unreported, stream.unreported.length);
    writer.varint(stream.digests.size);
    for (const [seq, digest] of stream.digests) {
      writer.varint(seq);
      writer.string(digest);
    }
  }
  return writer.finish();
}

/** The streams, or undefined when the bytes are none of ours. */
export function decodeStreams(bytes: Uint8Array): StreamState[] | undefined {
  const reader = createByteReader(bytes);
  if (reader.u8() !== stateVersion) return undefined;
  const streams = readList(reader, () => readStream(reader));
  return reader.problem === undefined ? streams : undefined;
}

const counts = [
  "heardMs",
  "watermarkMs",
  "lastSeq",
  "oldestSeq",
  "streamSpans",
  "appliedRecords",
  "appliedSpans",
  "asideSpans",
  "lostRecords",
  "forks",
  "gapMs",
] as const;

function readStream(reader: ByteReader): StreamState {
  const [id, agent, hashKeyId] = [reader.string(), reader.string(), reader.string()];
  const weight = reader.f64();
  const numbers = Object.fromEntries(counts.map((name) => [name, reader.varint()]));
  const known = numbers as Record<(typeof counts)[number], number>;
  const lost = lossCauses.map((cause) => [cause, reader.varint()] as const);
  const pair = () => [reader.varint(), reader.varint()] as const;
  const intervals = readList(reader, pair);
  const unreported = readList(reader, pair);
  const digests = readList(reader, () => [reader.varint(), reader.string()] as const);
  return {
    ...{ id, agent, hashKeyId, weight },
    ...known,
    lostSpans: new Map(lost.filter(([, spans]) => spans > 0)),
    intervals,
    unreported,
    digests: new Map(digests),
    missing: countMissing(intervals, known.oldestSeq, known.lastSeq),
  };
}

function readList<T>(reader: ByteReader, read: () => T): T[] {
  const list: T[] = [];
  for (let left = reader.varint(); left > 0 && reader.problem === undefined; left--) {
    list.push(read());
  }
  return list;
}
