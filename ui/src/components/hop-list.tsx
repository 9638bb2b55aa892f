/** The walk in words: each hop with the sentences that carry it. */
import type { Hop } from "../../../wire/api-types.ts";
import { VerdictBadge } from "./verdict-badge.tsx";

export function HopList({ hops }: { hops: readonly Hop[] }) {
  if (hops.length === 0) return <p className="hint">No hop could be backed by numbers.</p>;
  return (
    <ol className="hops">
      {hops.map((hop) => (
        <li className={`hop hop-${hop.verdict}`} key={`${hop.from} → ${hop.to}`}>
          <p className="hop-head">
            <strong>{hop.from}</strong>
            {hop.to === hop.from ? " — the walk ends here" : ` → ${hop.to}`}
            <VerdictBadge verdict={hop.verdict} />
          </p>
          <ul>
            {hop.evidence.map((sentence) => (
              <li key={sentence}>{sentence}</li>
            ))}
          </ul>
        </li>
      ))}
    </ol>
  );
}
