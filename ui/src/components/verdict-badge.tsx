/** How far the evidence carries. */
import type { Verdict } from "../../../wire/api-types.ts";

const meanings: Readonly<Record<Verdict, string>> = {
  confirmed: "every hop to the cause is backed by numbers",
  likely: "the evidence points here, but not every hop is certain",
  inconclusive: "the evidence does not single out a cause",
};

export function VerdictBadge({ verdict }: { verdict: Verdict }) {
  return (
    <span className={`verdict verdict-${verdict}`} title={meanings[verdict]}>
      {verdict}
    </span>
  );
}
