/**
 * A sample of half-edges that never holds more than `countMax`. It keeps those of whole traces: the
 * ones whose trace hash begins with `shift` zero bits. When one more would not fit, the shift grows
 * by one and half of the traces leave. The outcome does not depend on the order of arrival, and of
 * two agents with different shifts the larger one's traces are among the smaller one's, so the
 * collector can join what both kept.
 */
import type { HalfEdgeCandidate } from "../pairing/pair-segment.ts";
import { isSampled } from "../pairing/trace-hash.ts";

export interface HalfEdgeSample {
  readonly kept: readonly HalfEdgeCandidate[];
  readonly shift: number;
  add(candidate: HalfEdgeCandidate): void;
}

/** A hash has 32 bits: beyond this only the trace with hash zero would be left. */
const shiftMax = 31;

export function createHalfEdgeSample(countMax: number): HalfEdgeSample {
  let kept: HalfEdgeCandidate[] = [];
  let shift = 0;
  return {
    get kept() {
      return kept;
    },
    get shift() {
      return shift;
    },
    add(candidate) {
      if (!isSampled(candidate.trace, shift)) return;
      kept.push(candidate);
      while (kept.length > countMax && shift < shiftMax) {
        shift++;
        kept = kept.filter((other) => isSampled(other.trace, shift));
      }
      // One trace alone may hold more than fits; what came last goes.
      if (kept.length > countMax) kept.pop();
    },
  };
}
