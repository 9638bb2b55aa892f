/** A record as the agent knows it: what its envelope says, where it is, and how it fares. */
import type { LostRecord } from "../../wire/sketch-batch.ts";
import type { RecordFacts, RecordName } from "./spool-record.ts";

/**
 *   writing    on its way to the disk, not to be sent yet
 *   waiting    to be sent
 *   sending    on its way to the collector
 *   settled    acknowledged
 *   replaced   another record speaks for it: the tombstone that declares it lost, or its successor
 *              after a fork
 */
export type EntryState = "writing" | "waiting" | "sending" | "settled" | "replaced";

export interface EntryPlace {
  readonly path: string;
  /** Of the framed payload in the file. */
  readonly position: number;
  readonly size: number;
}

export interface SpoolEntry {
  readonly facts: RecordFacts;
  /** Bytes of the batch. */
  readonly size: number;
  /** What a tombstone declares. */
  readonly lost: readonly LostRecord[];
  /** Put in by an earlier process, which may have sent it. */
  readonly isRecovered: boolean;
  state: EntryState;
  /** As in its envelope, until the collector has answered. */
  isBlind: boolean;
  wasSent: boolean;
  /** The collector has another record under its name. */
  isForked: boolean;
  /** The batch, until it is on disk; longer where there is none. */
  bytes: Uint8Array | undefined;
  place: EntryPlace | undefined;
  replacedBy: SpoolEntry | undefined;
  /** Refusals of this very record, and when it may be tried again; not before it is certain. */
  failures: number;
  notBeforeMs: number;
}

export function createEntry(
  facts: RecordFacts,
  options: {
    readonly size: number;
    readonly bytes?: Uint8Array;
    readonly lost?: readonly LostRecord[];
    readonly isRecovered?: boolean;
  },
): SpoolEntry {
  return {
    facts,
    size: options.size,
    lost: options.lost ?? [],
    isRecovered: options.isRecovered ?? false,
    state: "writing",
    isBlind: facts.isBlind,
    wasSent: false,
    isForked: false,
    bytes: options.bytes,
    place: undefined,
    replacedBy: undefined,
    failures: 0,
    notBeforeMs: facts.isBlind ? Number.POSITIVE_INFINITY : 0,
  };
}

/** It may be sent, under its own name or another. */
export function release(entry: SpoolEntry): void {
  entry.notBeforeMs = 0;
}

export function nameOf({ streamId, seq }: RecordName): string {
  return `${streamId} ${seq}`;
}

/** Still to be brought to the collector. */
export function isHeld({ state }: SpoolEntry): boolean {
  return state !== "settled" && state !== "replaced";
}

/** The file it is in can do without it, also after a power cut. */
export function isFinished(entry: SpoolEntry): boolean {
  const { state, replacedBy } = entry;
  if (state !== "replaced" || replacedBy === undefined) return state === "settled";
  return replacedBy.place !== undefined || isFinished(replacedBy);
}
