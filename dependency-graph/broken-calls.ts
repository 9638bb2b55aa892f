/**
 * Who broke off: calls that each request used to make and makes no longer, or makes now for the
 * first time.
 *
 * The first place to look is the caller itself, whose code decides what it calls. It may also have
 * broken off as a callee answered with nothing or with a failure. That callee must have been called
 * to break anything off: it is plausible as far as the requests that broke off still called it, so
 * callees whose calls vanished are consequences. One caller alone cannot tell the two apart, and is
 * named before its callees by `calleeShare`; several callers that broke off at once are explained
 * together by what they all still call.
 *
 * Source: minimal explanation of several symptoms by one cause, as Kompella et al., SCORE, NSDI
 * 2005; call structure as evidence: Yu et al., Nezha, FSE 2023.
 */
import {
  groupEdges,
  isBeyondOrdinary,
  type Shift,
  type SuspectGraph,
  sizeOf,
  surpriseOf,
} from "./shifts.ts";

export interface BrokenOff {
  /** Of the strongest sign, for the share of all signs that this place explains. */
  readonly surprise: number;
  /** Callers it may have made break off; itself, where its own calls changed. */
  readonly callers: readonly string[];
}

interface Broken {
  readonly id: string;
  readonly surprise: number;
  /** At least this share of its requests broke off. */
  readonly share: number;
}

/** How far a callee is suspected of what its caller's own code explains as well. */
const calleeShare = 0.8;

/** By node id. */
export function brokenCalls(graph: SuspectGraph): ReadonlyMap<string, BrokenOff> {
  const calls = groupEdges(graph.edges, "caller");
  const explained = new Map<string, { surprise: number; callers: string[] }>();
  let strongest = 0;
  const explain = (id: string, broken: Broken, share: number): void => {
    const sum = explained.get(id) ?? { surprise: 0, callers: [] };
    explained.set(id, sum);
    sum.surprise += share * broken.surprise;
    sum.callers.push(broken.id);
  };
  for (const { id, shifts } of graph.nodes) {
    const edges = calls.get(id) ?? [];
    const broken = brokenAt(id, [...shifts, ...edges.flatMap((edge) => edge.shifts)]);
    if (broken === undefined) continue;
    strongest = Math.max(strongest, broken.surprise);
    explain(id, broken, 1);
    if (broken.share === 0) continue;
    for (const { callee, callsPerRequest = 0 } of edges) {
      const plausible = Math.min(1, callsPerRequest / broken.share);
      if (plausible > 0) explain(callee, broken, calleeShare * plausible);
    }
  }
  const most = Math.max(...[...explained.values()].map(({ surprise }) => surprise));
  return new Map(
    [...explained].map(([id, { surprise, callers }]) => [
      id,
      { surprise: (strongest * surprise) / most, callers },
    ]),
  );
}

function brokenAt(id: string, shifts: readonly Shift[]): Broken | undefined {
  const changed = shifts.filter(
    (shift) => shift.kind === "missing_calls" && isBeyondOrdinary(shift),
  );
  const first = changed.toSorted((a, b) => sizeOf(b) - sizeOf(a))[0];
  if (first === undefined) return undefined;
  // Of calls made several times for a request, only the last ones may be missing.
  const shares = changed
    .filter(({ score }) => score < 0)
    .map(({ before, during }) => Math.min(1, before) - Math.min(1, during));
  return { id, surprise: surpriseOf(first), share: Math.max(0, ...shares) };
}
