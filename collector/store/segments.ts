/**
 * Closed windows on disk: one immutable file each, replaced as a whole when late data revises the
 * window, unlinked when it is past retention.
 *
 * A file is four records: what the window index needs (JSON), the decision's events (JSON), the
 * cube, the half-edges. The index of all
 * windows is held in memory and is read back from the first record of each file.
 */
import type { Disk } from "../../base/disk.ts";
import { numberedFiles, writeAtomically } from "../../base/files.ts";
import { frameRecords, scanRecords } from "../../base/records.ts";
import type { Result } from "../../base/result.ts";
import { ok, refuse } from "../../base/result.ts";
import type { WindowSummary } from "../../wire/api-types.ts";
import type { IncidentEvent } from "../decide.ts";

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
}

export interface Segment {
  readonly meta: SegmentMeta;
  readonly events: readonly IncidentEvent[];
  /** The window's cube, encoded canonically. */
  readonly cube: Uint8Array;
  readonly halfEdges: Uint8Array;
}

const namePattern = /^(\d{1,15})\.window$/;
const metaReadSize = 4_096;

export class Segments {
  readonly #directory: string;
  readonly #disk: Disk;
  readonly #index = new Map<number, SegmentMeta>();
  #newestFirst: readonly SegmentMeta[] | undefined;

  constructor(directory: string, disk: Disk) {
    this.#directory = directory;
    this.#disk = disk;
  }

  /** Reads the index; gives how many files are damaged. Those are left for a person to look at. */
  async recover(): Promise<number> {
    let corrupt = 0;
    for (const { path, number } of await numberedFiles(this.#disk, this.#directory, namePattern)) {
      const meta = await readMeta(this.#disk, path);
      if (meta === undefined) corrupt++;
      else this.#index.set(number, meta);
    }
    return corrupt;
  }

  meta(windowStartMs: number): SegmentMeta | undefined {
    return this.#index.get(windowStartMs);
  }

  /** Every window, newest first. */
  newestFirst(): readonly SegmentMeta[] {
    this.#newestFirst ??= [...this.#index.values()].sort(
      (a, b) => b.summary.windowStartMs - a.summary.windowStartMs,
    );
    return this.#newestFirst;
  }

  async write(segment: Segment): Promise<void> {
    const { windowStartMs } = segment.meta.summary;
    const records = [
      Buffer.from(JSON.stringify(segment.meta)),
      Buffer.from(JSON.stringify(segment.events)),
      segment.cube,
      segment.halfEdges,
    ];
    await writeAtomically(this.#disk, this.#path(windowStartMs), frameRecords(records));
    this.#index.set(windowStartMs, segment.meta);
    this.#newestFirst = undefined;
  }

  async read(windowStartMs: number): Promise<Result<Segment>> {
    const path = this.#path(windowStartMs);
    const { payloads, corrupt } = scanRecords((await this.#disk.read(path)) ?? new Uint8Array(0));
    const [meta, events, cube, halfEdges] = payloads;
    if (corrupt > 0 || halfEdges === undefined || !meta || !events || !cube) {
      return refuse("STORE_CORRUPT", `${path} has a damaged record`);
    }
    return ok({ meta: parseJson(meta), events: parseJson(events), cube, halfEdges });
  }

  /** Unlinks the windows that ended before `beforeMs`. */
  async expire(beforeMs: number): Promise<number> {
    const old = [...this.#index].filter(([, meta]) => meta.windowEndMs < beforeMs);
    for (const [windowStartMs] of old) {
      await this.#disk.remove(this.#path(windowStartMs));
      this.#index.delete(windowStartMs);
    }
    if (old.length > 0) this.#newestFirst = undefined;
    return old.length;
  }

  #path(windowStartMs: number): string {
    return `${this.#directory}/${windowStartMs}.window`;
  }
}

async function readMeta(disk: Disk, path: string): Promise<SegmentMeta | undefined> {
  const start = await disk.read(path, { position: 0, size: metaReadSize });
  const first = start === undefined ? undefined : scanRecords(start).payloads[0];
  return first === undefined || first[0] !== 0x7b ? undefined : parseMeta(first);
}

function parseMeta(bytes: Uint8Array): SegmentMeta | undefined {
  const meta = parseJson<Partial<SegmentMeta>>(bytes);
  return meta.summary === undefined ? undefined : (meta as SegmentMeta);
}

/** The checksum holds, so this is what we wrote. */
function parseJson<T>(bytes: Uint8Array): T {
  return JSON.parse(Buffer.from(bytes).toString("utf8")) as T;
}
