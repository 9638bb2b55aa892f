/**
 * One file of the batch log, as records:
 *
 *   preamble ×2   which generation this is, which one is the oldest that is needed, and from which
 *                 log sequence number (lsn) on this one counts
 *   state ×2      the dedupe state after every earlier record
 *   batch …       lsn, when it was received, the window it goes into, its bytes
 *   end           the number of the generation that follows
 *
 * What the file says of itself counts, not its name. Preamble and state are there twice so that
 * one damaged record does not take them; should both go, the generation before has the state and
 * the records that lead to this one.
 */
import { createByteReader, createByteWriter } from "../../base/bytes.ts";
import type { Disk } from "../../base/disk.ts";
import { payloadAt, recordSizeAt, scanRecords } from "../../base/records.ts";
import type { WindowPlace } from "./levels.ts";
import { findOwnFiles, type NumberedKind, type OwnFile, type OwnFiles } from "./own-files.ts";

export interface LogEntry {
  readonly bytes: Uint8Array;
  readonly receivedMs: number;
  /** The window the batch goes into; undefined when it goes into none. */
  readonly window: WindowPlace | undefined;
}

export interface LoggedBatch extends LogEntry {
  readonly lsn: number;
}

export interface Preamble {
  readonly generation: number;
  /** The oldest generation that is still needed besides this one. */
  readonly oldest: number;
  /** In earlier generations, records above this are what failed writes left behind. */
  readonly validLsn: number;
  /** What the first record here has. */
  readonly firstLsn: number;
}

export interface GenerationContents {
  readonly preamble: Preamble | undefined;
  readonly state: Uint8Array | undefined;
  readonly batches: readonly LoggedBatch[];
  /** The generation that follows, if this one was ended. */
  readonly next: number | undefined;
  /** Records that are damaged or missing. */
  readonly damaged: number;
  readonly size: number;
}

export type GenerationFile = OwnFile<Preamble | undefined>;

export const logFiles: NumberedKind = { prefix: "batches-", suffix: ".log" };
/** No other file has records that begin with these. */
const preambleKind = 0x11;
const stateKind = 0x12;
const batchKind = 0x13;
const endKind = 0x14;
/** More than two preambles take. */
const preambleReadSize = 256;

/** How a file begins: `again` is what the files before may hold in vain. */
export function encodeBeginning(beginning: {
  readonly preamble: Preamble;
  readonly state: Uint8Array;
  readonly again: readonly LoggedBatch[];
}): Uint8Array[] {
  const preamble = encodePreamble(beginning.preamble);
  const state = encodeState(beginning.state);
  const batches = beginning.again.map((batch) => encodeBatch(batch.lsn, batch));
  return [preamble, preamble, state, state, ...batches];
}

function encodePreamble(preamble: Preamble): Uint8Array {
  const { generation, oldest, validLsn, firstLsn } = preamble;
  const writer = createByteWriter();
  writer.u8(preambleKind);
  writer.varint(generation);
  writer.varint(oldest);
  writer.varint(validLsn);
  writer.varint(firstLsn);
  return writer.finish();
}

function encodeState(state: Uint8Array): Uint8Array {
  const writer = createByteWriter();
  writer.u8(stateKind);
  writer.bytes(state);
  return writer.finish();
}

export function encodeBatch(lsn: number, { bytes, receivedMs, window }: LogEntry): Uint8Array {
  const writer = createByteWriter();
  writer.u8(batchKind);
  writer.varint(lsn);
  writer.varint(receivedMs);
  writer.varint(window?.lengthMs ?? 0);
  writer.varint(window?.startMs ?? 0);
  writer.bytes(bytes);
  return writer.finish();
}

export function encodeEnd(next: number): Uint8Array {
  const writer = createByteWriter();
  writer.u8(endKind);
  writer.varint(next);
  return writer.finish();
}

/** The generations in the order they were written in. */
export function findGenerations(
  disk: Disk,
  directory: string,
): Promise<OwnFiles<Preamble | undefined>> {
  return findOwnFiles(disk, directory, logFiles, async (path) => {
    const content = await readPreamble(disk, path);
    return { number: content?.generation, content };
  });
}

/** How many of the oldest files that are needed are not there. */
export function goneFromHead(files: readonly GenerationFile[]): number {
  const preamble = files.findLast(({ content }) => content !== undefined)?.content;
  const first = files[0]?.number ?? 0;
  return preamble === undefined ? 0 : Math.max(0, first - preamble.oldest);
}

/** Whether the file that has to follow does; the last one need not know of any. */
export function isFollowed(
  file: GenerationFile,
  { next }: GenerationContents,
  following: GenerationFile | undefined,
): boolean {
  return following === undefined ? next === undefined : following.number === file.number + 1;
}

/** What the file at `path` says it is, without reading all of it. */
async function readPreamble(disk: Disk, path: string): Promise<Preamble | undefined> {
  const start = await disk.read(path, { position: 0, size: preambleReadSize });
  if (start === undefined) return undefined;
  const first = payloadAt(start, 0) ?? payloadAt(start, recordSizeAt(start, 0));
  const preamble = first === undefined ? undefined : decodePreamble(first);
  return preamble ?? (await readGeneration(disk, path)).preamble;
}

export async function readGeneration(disk: Disk, path: string): Promise<GenerationContents> {
  const bytes = (await disk.read(path)) ?? new Uint8Array(0);
  const scan = scanRecords(bytes);
  let preamble: Preamble | undefined;
  let state: Uint8Array | undefined;
  let next: number | undefined;
  const batches: LoggedBatch[] = [];
  let foreign = 0;
  for (const payload of scan.payloads) {
    const reader = createByteReader(payload);
    const kind = reader.u8();
    if (kind === preambleKind) preamble ??= decodePreamble(payload);
    else if (kind === stateKind) state ??= reader.bytes(reader.remaining);
    else if (kind === batchKind) batches.push(decodeBatch(payload));
    else if (kind === endKind) next = reader.varint();
    else foreign++;
  }
  const missing = missingBatches(preamble, batches);
  const damaged = Math.max(scan.corrupt + foreign + (scan.tailBytes > 0 ? 1 : 0), missing);
  return { preamble, state, batches, next, damaged, size: bytes.length };
}

function decodePreamble(payload: Uint8Array): Preamble | undefined {
  const reader = createByteReader(payload);
  if (reader.u8() !== preambleKind) return undefined;
  const preamble = {
    generation: reader.varint(),
    oldest: reader.varint(),
    validLsn: reader.varint(),
    firstLsn: reader.varint(),
  };
  return reader.problem === undefined ? preamble : undefined;
}

function decodeBatch(payload: Uint8Array): LoggedBatch {
  const reader = createByteReader(payload);
  reader.u8();
  const lsn = reader.varint();
  const receivedMs = reader.varint();
  const lengthMs = reader.varint();
  const startMs = reader.varint();
  const window = lengthMs === 0 ? undefined : { startMs, lengthMs };
  return { lsn, receivedMs, window, bytes: reader.bytes(reader.remaining) };
}

/** Numbers are given out without a hole, so a hole is a record that is gone. */
function missingBatches(preamble: Preamble | undefined, batches: readonly LoggedBatch[]): number {
  let missing = 0;
  let expected = preamble?.firstLsn ?? batches[0]?.lsn ?? 0;
  for (const { lsn } of batches) {
    missing += Math.max(0, lsn - expected);
    expected = lsn + 1;
  }
  return missing;
}
