/** A span as the memory takes it in, and the bits of its flags. Ids and hashes are signed words. */
export interface RememberedSpan {
  idHigh: number;
  idLow: number;
  parentHigh: number;
  parentLow: number;
  /** `traceHash` of the trace id. */
  trace: number;
  /** Which process it ran in: equal for spans of equal resources. */
  process: number;
  /** Nanoseconds since the memory's epoch. */
  startNs: number;
  durationNs: number;
  /** The key's id within its segment. */
  key: number;
  segment: number;
  flags: number;
}

export function emptyRow(): RememberedSpan {
  return {
    idHigh: 0,
    idLow: 0,
    parentHigh: 0,
    parentLow: 0,
    trace: 0,
    process: 0,
    startNs: 0,
    durationNs: 0,
    key: 0,
    segment: 0,
    flags: 0,
  };
}

/** Bits of `flags`; the low three are the index of the kind in `spanKinds`. */
export const kindMask = 7;
export const failedFlag = 8;
export const slowFlag = 16;
/** The parent is known to be in another process. */
export const remoteFlag = 32;
/** A call to a database, which reports no span of its own. */
export const databaseFlag = 64;
/** Its edge from a caller has been counted. */
export const edgeFlag = 128;
/** As a caller it has found a callee. */
export const pairedFlag = 256;

export type Remembered = "kept" | "repeated" | "full";
