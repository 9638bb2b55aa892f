/**
 * What a tombstone declares: records of its stream that will never come, with what they counted.
 *
 *   varint count, then { varint seq less the seq before, varint spans, varint errors,
 *   varint windowStartMs } in ascending order of seq
 */
import type { ByteReader, ByteWriter } from "../base/bytes.ts";
import { assert } from "../base/errors.ts";

/** Why records are lost, in the order of their codes in the bytes. */
export const lossCauses = ["evicted", "corrupt", "refused", "expired", "disk"] as const;

export type LossCause = (typeof lossCauses)[number];

export interface LostRecord {
  readonly seq: number;
  readonly spans: number;
  readonly errors: number;
  /** 0 for a record that was no window. */
  readonly windowStartMs: number;
}

/** More records than this take a second tombstone. */
export const lostRecordsMax = 65_536;

const sizeMin = 4;

export function encodeLostRecords(writer: ByteWriter, lost: readonly LostRecord[]): void {
  assert(lost.length > 0 && lost.length <= lostRecordsMax, "a tombstone declares some records");
  writer.varint(lost.length);
  let before = 0;
  for (const { seq, spans, errors, windowStartMs } of lost) {
    assert(seq > before && errors <= spans, "lost records are in ascending order and add up");
    writer.varint(seq - before);
    writer.varint(spans);
    writer.varint(errors);
    writer.varint(windowStartMs);
    before = seq;
  }
}

/** Reads records below `seqMax`; what does not hold together is rejected at the reader. */
export function decodeLostRecords(reader: ByteReader, seqMax: number): LostRecord[] {
  const count = reader.varint();
  if (count < 1 || count > lostRecordsMax || count * sizeMin > reader.remaining) {
    reader.reject(`declares ${count} records, not from 1 to ${lostRecordsMax} in enough bytes`);
    return [];
  }
  const lost: LostRecord[] = [];
  let seq = 0;
  for (let at = 0; at < count && reader.problem === undefined; at++) {
    const step = reader.varint();
    seq += step;
    const spans = reader.varint();
    const errors = reader.varint();
    if (step < 1) reader.reject("lost records are not in ascending order");
    if (seq >= seqMax) reader.reject(`declares record ${seq}, not one before its own ${seqMax}`);
    if (errors > spans) reader.reject(`declares ${errors} errors in ${spans} spans`);
    lost.push({ seq, spans, errors, windowStartMs: reader.varint() });
  }
  return lost;
}
