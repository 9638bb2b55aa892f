/**
 * What shifts of traces add to a walk: evidence at the place it ends, and an end where it had none.
 *
 * A walk that found no end of slow requests is settled, as likely, by the suspect that lost the
 * time, if one clearly leads and all who are hurt are it or depend on it. Nothing else settles a
 * walk: what merely changed at the same time is no cause.
 */
import type { CauseFinding } from "./cause-graph.ts";
import type { Suspect } from "./suspects.ts";

const sentencesMax = 3;

/** @param dependsOn whether the first reaches the second by calls, or is it */
export function settleFinding(
  finding: CauseFinding,
  suspects: readonly Suspect[],
  dependsOn: (id: string, on: string) => boolean,
): CauseFinding {
  const { cause, hops, entries, symptoms } = finding;
  if (cause.kind !== "none") return withEvidence(finding, suspects);
  const [first] = suspects;
  if (cause.signal !== "slow" || first === undefined || !first.lostTime) return finding;
  if (first.verdict === "inconclusive") return finding;
  const [place = first.id] = first.id.split(" → ");
  const touched = [...entries, ...symptoms];
  if (touched.length === 0 || !touched.every((id) => dependsOn(id, place))) return finding;
  const evidence = first.evidence.slice(0, sentencesMax);
  const end = first.kind === "edge" ? (first.id.split(" → ")[1] ?? place) : place;
  return {
    ...finding,
    cause: {
      ...cause,
      name: first.id,
      kind: first.kind,
      verdict: "likely",
      reason: `${evidence.join("; ")}; nothing else lost as much time`,
    },
    hops: [...hops, { from: place, to: end, evidence, verdict: "likely" }],
    symptoms: symptoms.filter((id) => id !== first.id),
    suspects: [],
  };
}

/** The last step says what else is known of the place it leads to. */
function withEvidence(finding: CauseFinding, suspects: readonly Suspect[]): CauseFinding {
  const { cause, hops } = finding;
  const last = hops.at(-1);
  const suspect = suspects.find(({ id }) => id === cause.name);
  if (last === undefined || suspect === undefined) return finding;
  const evidence = [...last.evidence, ...suspect.evidence.slice(0, sentencesMax)];
  return { ...finding, hops: [...hops.slice(0, -1), { ...last, evidence }] };
}
