/** Reads those blocks of a window's file whose keys a query wants, by the table at its head. */
import type { Disk } from "../../base/disk.ts";
import { payloadAt } from "../../base/records.ts";
import { type CompositeKey, compareKeys } from "../../sketch/key.ts";
import type { CatalogueEntry } from "./catalogue.ts";
import {
  decodeRecord,
  isSameSegment,
  readRecords,
  readTable,
  type TableEntry,
} from "./segment-file.ts";

export interface BlockFile {
  readonly disk: Disk;
  readonly path: string;
  readonly entry: CatalogueEntry;
  readonly onDamage: (records: number) => void;
}

export interface WantedBlocks {
  readonly kind: "keys" | "edges";
  /** Values of the first dimensions; [] wants every block. */
  readonly prefix: CompositeKey;
}

/** Blocks that lie side by side are read at once, up to this many bytes. */
const runBytesMax = 2 ** 20;

/**
 * The bodies of the blocks, in their order; damaged ones are reported and left out. Returns false
 * when the file holds nothing at all of this window.
 */
export async function* findBlocks(
  file: BlockFile,
  wanted: WantedBlocks,
): AsyncGenerator<Uint8Array, boolean> {
  const { disk, path, entry } = file;
  const table = await readTable(disk, path, entry);
  if (table === undefined) return yield* allBlocks(file, wanted);
  const entries = table.blocks.filter((block) => isWanted(block, wanted));
  for (const run of runsOf(entries)) {
    const first = run[0] as TableEntry;
    const last = run.at(-1) as TableEntry;
    const position = entry.headSize + first.offset;
    const size = last.offset + last.size - first.offset;
    const bytes = (await disk.read(path, { position, size })) ?? new Uint8Array(0);
    for (const { offset } of run) {
      const body = bodyAt(bytes, offset - first.offset, file, wanted);
      if (body === undefined) file.onDamage(1);
      else yield body;
    }
  }
  return true;
}

/** Without a sound table every block is read. */
async function* allBlocks(
  file: BlockFile,
  wanted: WantedBlocks,
): AsyncGenerator<Uint8Array, boolean> {
  const { records, corrupt } = await readRecords(file.disk, file.path);
  const own = records.filter(({ meta }) => isSameSegment(meta, file.entry.meta));
  if (own.length === 0) return false;
  file.onDamage(Math.max(1, corrupt));
  for (const { kind, body } of own) if (kind === wanted.kind) yield body;
  return true;
}

function bodyAt(
  bytes: Uint8Array,
  at: number,
  file: BlockFile,
  wanted: WantedBlocks,
): Uint8Array | undefined {
  const record = decodeRecord(payloadAt(bytes, at));
  if (record?.kind !== wanted.kind) return undefined;
  return isSameSegment(record.meta, file.entry.meta) ? record.body : undefined;
}

function isWanted(block: TableEntry, { kind, prefix }: WantedBlocks): boolean {
  if (block.kind !== kind) return false;
  const start = (key: CompositeKey): CompositeKey => key.slice(0, prefix.length);
  return (
    compareKeys(start(block.first), prefix) <= 0 && compareKeys(start(block.last), prefix) >= 0
  );
}

function runsOf(entries: readonly TableEntry[]): TableEntry[][] {
  const runs: TableEntry[][] = [];
  let size = 0;
  for (const entry of entries) {
    const before = runs.at(-1)?.at(-1);
    const adjacent = before !== undefined && before.offset + before.size === entry.offset;
    if (!adjacent || size + entry.size > runBytesMax) {
      runs.push([]);
      size = 0;
    }
    runs.at(-1)?.push(entry);
    size += entry.size;
  }
  return runs;
}
