/**
 * One closed window as a file of records, never changed once it is there:
 *
 *   meta | table of the blocks | the blocks | events | table | meta
 *
 * Every record opens with the meta, so whichever of them are damaged, the others say what they
 * belong to; table and meta stand at both ends. A record's payload is
 *
 *   u8 kind | varint size of the meta | meta (JSON) | body
 */
import { createByteReader, createByteWriter } from "../../base/bytes.ts";
import type { Disk } from "../../base/disk.ts";
import { frameRecord, payloadAt, recordSizeAt, scanRecords } from "../../base/records.ts";
import type { WindowSummary } from "../../wire/api-types.ts";
import type { IncidentEvent } from "../decide.ts";
import type { Block, BlockEntry, BlockKind } from "./blocks.ts";

/** How the content came to be: from agents, or by merging finer windows. */
export type Source = "received" | "merged";

/** A finer window inside a merged one. */
export interface Part {
  readonly lengthMs: number;
  readonly source: Source;
  readonly startMs: number;
  readonly revision: number;
  readonly lsn: number;
}

/** What the window index keeps of a window. */
export interface SegmentMeta {
  readonly summary: WindowSummary;
  readonly windowEndMs: number;
  /** The log sequence number up to which the window's batches are inside. */
  readonly lsn: number;
  /** Number of the decision on this content, rising over all windows; 0 when never decided. */
  readonly closing: number;
  readonly decidedAtMs: number;
  /** The key its customers are hashed with; sketches under different keys are never merged. */
  readonly hashKeyId: string;
  /** Rises with every new content of the window. */
  readonly revision: number;
  readonly source: Source;
  /** Of a merged window; [] otherwise. */
  readonly parts: readonly Part[];
}

/** Where a block is, counted from the end of the leading meta and table. */
export interface TableEntry extends BlockEntry {
  readonly offset: number;
  readonly size: number;
}

/** The blocks of a file, and the bytes of everything behind the leading meta and table. */
export interface Table {
  readonly size: number;
  readonly blocks: readonly TableEntry[];
}

export interface SegmentHead {
  readonly meta: SegmentMeta;
  /** Bytes of the leading meta and table; 0 when they are damaged. */
  readonly headSize: number;
  /** Bytes of the file. */
  readonly size: number;
}

export interface SegmentRecord {
  readonly kind: RecordKind;
  readonly meta: SegmentMeta;
  readonly body: Uint8Array;
}

type RecordKind = "meta" | "table" | "events" | BlockKind;

const kinds: readonly RecordKind[] = ["meta", "table", "events", "keys", "edges", "halfEdges"];
/** No other file has records that begin with this and what follows. */
const kindBase = 0x21;
/** Meta and table, twice, and the events. */
export const recordsBesideBlocks = 5;
/** Enough for the meta of a window, with the parts of a merged one. */
const headReadSize = 4_096;

export interface EncodedSegment {
  /** In the order of the file. */
  readonly records: readonly Uint8Array[];
  readonly headSize: number;
  readonly size: number;
}

export function encodeSegment(
  meta: SegmentMeta,
  events: readonly IncidentEvent[],
  blocks: readonly Block[],
): EncodedSegment {
  const metaBytes = jsonBytes(meta);
  const record = (kind: RecordKind, body: Uint8Array): Uint8Array => {
    const writer = createByteWriter();
    writer.u8(kindBase + kinds.indexOf(kind));
    writer.varint(metaBytes.length);
    writer.bytes(metaBytes);
    return frameRecord(writer.finish(), body);
  };
  const blockRecords = blocks.map(({ kind, bytes }) => record(kind, bytes));
  let offset = 0;
  const entries = blocks.map(({ bytes: _, ...entry }, index): TableEntry => {
    const at = offset;
    const size = (blockRecords[index] as Uint8Array).length;
    offset += size;
    return { ...entry, offset: at, size };
  });
  const eventsRecord = record("events", jsonBytes(events));
  const metaRecord = record("meta", new Uint8Array(0));
  const table: Table = { size: offset + eventsRecord.length, blocks: entries };
  const tableRecord = record("table", jsonBytes(table));
  const headSize = metaRecord.length + tableRecord.length;
  const ends = [metaRecord, tableRecord] as const;
  const records = [...ends, ...blockRecords, eventsRecord, ends[1], ends[0]];
  return { records, headSize, size: 2 * headSize + table.size };
}

/** What the file at `path` is, from the first records of it that are sound. */
export async function readHead(disk: Disk, path: string): Promise<SegmentHead | undefined> {
  const start = await disk.read(path, { position: 0, size: headReadSize });
  if (start === undefined) return undefined;
  const meta = decodeRecord(payloadAt(start, 0))?.meta;
  const metaSize = recordSizeAt(start, 0);
  const headSize = metaSize + recordSizeAt(start, metaSize);
  if (meta !== undefined && headSize > metaSize) {
    const table = await readTable(disk, path, { meta, headSize });
    if (table !== undefined) return { meta, headSize, size: 2 * headSize + table.size };
  }
  const { records, size } = await readRecords(disk, path);
  const any = records[0]?.meta;
  return any === undefined ? undefined : { meta: any, headSize: 0, size };
}

/** The table at the head of a file; undefined when it is damaged or not of this window. */
export async function readTable(
  disk: Disk,
  path: string,
  { meta, headSize }: Pick<SegmentHead, "meta" | "headSize">,
): Promise<Table | undefined> {
  if (headSize === 0) return undefined;
  const head = await disk.read(path, { position: 0, size: headSize });
  const payloads = head === undefined ? [] : scanRecords(head).payloads;
  const table = payloads.map(decodeRecord).find((record) => record?.kind === "table");
  if (table === undefined || !isSameSegment(table.meta, meta)) return undefined;
  return parseTable(table.body);
}

export function parseTable(body: Uint8Array): Table {
  return parseJson(body) as Table;
}

export function parseEvents(body: Uint8Array): readonly IncidentEvent[] {
  return parseJson(body) as readonly IncidentEvent[];
}

/** Every sound record of a file, and at how many places there are damaged ones. */
export async function readRecords(disk: Disk, path: string): Promise<ReadRecords> {
  const bytes = (await disk.read(path)) ?? new Uint8Array(0);
  const { payloads, corrupt, tailBytes } = scanRecords(bytes);
  const records = payloads.map(decodeRecord).filter((record) => record !== undefined);
  const foreign = payloads.length - records.length;
  return { records, corrupt: corrupt + foreign + (tailBytes > 0 ? 1 : 0), size: bytes.length };
}

export interface ReadRecords {
  readonly records: readonly SegmentRecord[];
  readonly corrupt: number;
  /** Bytes of the file. */
  readonly size: number;
}

/** The record inside a payload whose checksum holds; undefined when it is not one of ours. */
export function decodeRecord(payload: Uint8Array | undefined): SegmentRecord | undefined {
  if (payload === undefined) return undefined;
  const reader = createByteReader(payload);
  const kind = kinds[reader.u8() - kindBase];
  const metaBytes = reader.bytes(reader.varint());
  if (kind === undefined || reader.problem !== undefined || metaBytes[0] !== 0x7b) return undefined;
  const meta = parseJson(metaBytes) as SegmentMeta;
  return { kind, meta, body: reader.bytes(reader.remaining) };
}

/** Whether two metas speak of the same content of the same window. */
export function isSameSegment(a: SegmentMeta, b: SegmentMeta): boolean {
  return (
    a.summary.windowStartMs === b.summary.windowStartMs &&
    a.windowEndMs === b.windowEndMs &&
    a.source === b.source &&
    a.revision === b.revision &&
    a.lsn === b.lsn
  );
}

function jsonBytes(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value));
}

/** The checksum holds, so this is what we wrote. */
function parseJson(bytes: Uint8Array): unknown {
  return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8"));
}
