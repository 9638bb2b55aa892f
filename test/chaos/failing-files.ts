/**
 * Loaded before the product with `--import`: its files refuse as the text of the file that
 * `FAILING_FILES` names says, which may change at any time.
 *
 *   short        a write takes a few bytes
 *   full         a write takes half, the next one is refused with ENOSPC
 *   write-error  a write is refused with EIO
 *   sync-error   a sync is refused with EIO, and what was written since the last one is gone, as a
 *                kernel drops pages it could not write; a fault nobody hears of when it is ignored
 *
 * Anything else is a disk that is well.
 */
import { readFileSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";

const variable = "FAILING_FILES";

const shortBytes = 7;
const states = new WeakMap<FileHandle, State>();

type Write = (
  bytes: Uint8Array,
  offset: number,
  size: number,
  position: number,
) => Promise<{ bytesWritten: number }>;

interface Methods {
  write: Write;
  datasync(): Promise<void>;
}

function faultNow(): string {
  try {
    return readFileSync(process.env[variable] ?? "", "utf8").trim();
  } catch {
    return "";
  }
}

function refusal(code: "EIO" | "ENOSPC", what: string): Error {
  return Object.assign(new Error(`${code}: on purpose, ${what}`), { code });
}

interface State {
  /** The file's size at its last sync, or when it was first written to. */
  syncedBytes: number;
  /** The last write was short for want of room. */
  wasShort: boolean;
}

async function replaceMethods(): Promise<void> {
  const probe = await open(process.execPath, "r");
  const methods = Object.getPrototypeOf(probe) as Methods;
  await probe.close();
  const { write, datasync } = methods;
  methods.write = async function (this: FileHandle, bytes, offset, size, position) {
    const state = states.get(this) ?? { syncedBytes: (await this.stat()).size, wasShort: false };
    states.set(this, state);
    const fault = faultNow();
    const { wasShort } = state;
    state.wasShort = fault === "full" && !wasShort;
    if (fault === "write-error") throw refusal("EIO", "write");
    if (fault === "full" && wasShort) throw refusal("ENOSPC", "write");
    return await write.call(this, bytes, offset, takenOf(size, fault), position);
  };
  methods.datasync = async function (this: FileHandle) {
    const state = states.get(this);
    if (faultNow() === "sync-error") {
      if (state !== undefined) await this.truncate(state.syncedBytes);
      throw refusal("EIO", "fdatasync");
    }
    await datasync.call(this);
    if (state !== undefined) state.syncedBytes = (await this.stat()).size;
  };
}

function takenOf(size: number, fault: string): number {
  if (fault === "full") return Math.ceil(size / 2);
  return fault === "short" ? Math.min(size, shortBytes) : size;
}

await replaceMethods();
