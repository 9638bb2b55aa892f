/**
 * What is in a directory of windows, so that a start need not open every file. A file's name says
 * which content it holds and contents never change, so an entry is right or absent, never old.
 *
 * It is only a shortcut: what it lacks is read from the files, and it is written anew when damaged.
 * What it has and the directory lacks was deleted by somebody else.
 */
import type { Disk } from "../../base/disk.ts";
import { writeAtomically } from "../../base/files.ts";
import { type Journal, openJournal } from "../../base/journal.ts";
import { frameRecords, scanRecords } from "../../base/records.ts";
import { parseRecord } from "./json-record.ts";
import { movedMark } from "./put-in-place.ts";
import type { SegmentHead } from "./segment-file.ts";

export interface CatalogueEntry extends SegmentHead {
  /** The file's name. */
  readonly name: string;
}

interface Add {
  readonly add: CatalogueEntry;
}

interface Remove {
  readonly remove: readonly string[];
}

type Line = Add | Remove;

/** Lines that may speak of windows long gone before the file is written anew. */
const spareLinesMax = 4_096;

export class Catalogue {
  readonly #disk: Disk;
  readonly #path: string;
  #journal: Journal | undefined;
  #lines = 0;
  #live = 0;

  constructor(disk: Disk, directory: string) {
    this.#disk = disk;
    this.#path = `${directory}/catalogue`;
  }

  /** What it holds by name, and how many of its records are damaged. */
  async load(): Promise<{
    readonly entries: Map<string, CatalogueEntry>;
    readonly corrupt: number;
    readonly isThere: boolean;
    /** The file under its name is another one. */
    readonly isOther: boolean;
  }> {
    const entries = new Map<string, CatalogueEntry>();
    const bytes = await this.#disk.read(this.#path);
    if (bytes === undefined) return { entries, corrupt: 0, isThere: false, isOther: false };
    const { payloads, corrupt, tailBytes } = scanRecords(bytes);
    let foreign = 0;
    for (const payload of payloads) {
      const line = parseRecord(payload) as Partial<Add & Remove> | undefined;
      if (line?.add !== undefined) entries.set(line.add.name, line.add);
      else if (line?.remove === undefined) foreign++;
      else for (const name of line.remove) entries.delete(name);
    }
    this.#lines = payloads.length;
    const isOther = foreign > 0 && foreign === payloads.length;
    return {
      ...{ entries, isThere: true, isOther },
      corrupt: corrupt + foreign + (tailBytes > 0 ? 1 : 0),
    };
  }

  /**
   * Writes the file anew with `entries` and goes on from there. A disk that refuses leaves it as it
   * is: at the next start the directory is read for what is missing here.
   */
  async open(entries: readonly CatalogueEntry[]): Promise<void> {
    await this.close();
    const lines = entries.map((add) => lineBytes({ add }));
    try {
      await writeAtomically(this.#disk, this.#path, frameRecords(lines));
    } catch {
      return;
    }
    this.#lines = lines.length;
    await this.resume(entries.length);
  }

  /** Goes on with what it holds, which is right for so many windows. */
  async resume(windows: number): Promise<void> {
    this.#live = windows;
    const opened = await openJournal(this.#disk, this.#path).catch(() => undefined);
    this.#journal = opened?.journal;
  }

  /** Lets go of a file that is another one, under a name by which it may be found. */
  async release(): Promise<void> {
    await this.#disk.rename(this.#path, `${this.#path}${movedMark}`);
  }

  /** Takes note of a new file, or of files about to go. */
  async add(entry: CatalogueEntry): Promise<void> {
    this.#live++;
    await this.#append({ add: entry });
  }

  async remove(names: readonly string[]): Promise<void> {
    this.#live -= names.length;
    await this.#append({ remove: names });
  }

  async #append(line: Line): Promise<void> {
    if (this.#journal === undefined || this.#journal.broken) return;
    this.#lines++;
    await this.#journal.append([lineBytes(line)]).catch(() => undefined);
  }

  /** Most of the file speaks of windows that are gone, or the disk refused to add to it. */
  get isStale(): boolean {
    const unusable = this.#journal === undefined || this.#journal.broken;
    return unusable || this.#lines > 2 * this.#live + spareLinesMax;
  }

  async close(): Promise<void> {
    await this.#journal?.close();
    this.#journal = undefined;
  }
}

function lineBytes(line: Line): Uint8Array {
  return Buffer.from(JSON.stringify(line));
}
