/** The decider's state as of some decision: the newest two, so that a damaged one is not the last. */
import { deserialize, serialize } from "node:v8";
import type { Disk } from "../../base/disk.ts";
import { numberedFiles, writeAtomically } from "../../base/files.ts";
import { frameRecord, scanRecords } from "../../base/records.ts";

export interface DeciderState {
  /** The last decision the state includes. */
  readonly closing: number;
  readonly snapshot: unknown;
}

const namePattern = /^decider-(\d{1,15})$/;
const filesKept = 2;
/** Structured clones begin with it, and no other record does. */
const serializedMark = 0xff;

export async function saveDecider(
  disk: Disk,
  directory: string,
  state: DeciderState,
): Promise<void> {
  const path = `${directory}/decider-${state.closing}`;
  await writeAtomically(disk, path, frameRecord(serialize(state)));
  const files = await numberedFiles(disk, directory, namePattern);
  for (const file of files.slice(0, -filesKept)) await disk.remove(file.path);
}

/** The newest state that is sound; undefined when there is none. */
export async function loadDecider(
  disk: Disk,
  directory: string,
): Promise<{ readonly state: DeciderState | undefined; readonly corrupt: number }> {
  let newest: DeciderState | undefined;
  let corrupt = 0;
  for (const { path, number } of await numberedFiles(disk, directory, namePattern)) {
    const state = parseState((await disk.read(path)) ?? new Uint8Array(0));
    if (state?.closing !== number) corrupt++;
    if (state !== undefined && state.closing > (newest?.closing ?? -1)) newest = state;
  }
  return { state: newest, corrupt };
}

function parseState(bytes: Uint8Array): DeciderState | undefined {
  const { payloads, tailBytes } = scanRecords(bytes);
  const [payload] = payloads;
  if (payload?.[0] !== serializedMark || tailBytes > 0) return undefined;
  return deserialize(payload) as DeciderState;
}
