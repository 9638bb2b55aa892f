/** One incident at a glance: how many are hurt, what it is, where, how sure, since when. */
import type { Incident, Signal } from "../../../wire/api-types.ts";
import { badWord, formatAgeMs, formatMoment } from "../format.ts";
import { linkTo } from "../state/use-selection.ts";
import { CombinationChips } from "./combination-chips.tsx";
import { CustomersNumber } from "./customers-number.tsx";
import { PageState } from "./page-state.tsx";
import { VerdictBadge } from "./verdict-badge.tsx";

interface IncidentCardProps {
  readonly incident: Incident;
  readonly selected: boolean;
  readonly nowMs: number;
}

export function IncidentCard({ incident, selected, nowMs }: IncidentCardProps) {
  const { id, status, cause, combinations, score } = incident;
  const combination = combinations[0];
  // Why nobody is woken is a sentence, which gets a line of its own.
  const isHeldBack = status === "firing" && !incident.page;
  return (
    <a
      className={`card card-${status}${incident.page ? " card-pages" : ""}`}
      href={linkTo(id)}
      aria-current={selected ? "true" : undefined}
      data-incident={id}
    >
      <CustomersNumber incident={incident} />
      <span className="card-body">
        <span className="card-title">{headlineOf(incident)}</span>
        <span className="card-facts">
          <VerdictBadge verdict={cause.verdict} />
          {!isHeldBack && <PageState incident={incident} />}
        </span>
        <span className="card-facts">
          {timeText(incident, nowMs)}
          <span>score {score.toFixed(1)}</span>
        </span>
        {combination !== undefined && <CombinationChips attributes={combination.attributes} />}
        {isHeldBack && <PageState incident={incident} />}
      </span>
    </a>
  );
}

/** The cause and what it does; the full title, with numbers and values, heads the details. */
function headlineOf({ cause, title, signal }: Incident): string {
  return cause.kind === "none" ? title : `${cause.name} ${stateWords[signal]}`;
}

const stateWords: Readonly<Record<Signal, string>> = {
  errors: "fails",
  slow: "is slow",
  traffic: "is called no more",
};

function timeText({ startedAtMs, resolvedAtMs, signal }: Incident, nowMs: number) {
  const started = formatMoment(startedAtMs, nowMs);
  return resolvedAtMs === null ? (
    <span title={`spans ${badWord(signal)}`}>
      since {started} · {formatAgeMs(nowMs - startedAtMs)}
    </span>
  ) : (
    <span>
      {started} · lasted {formatAgeMs(resolvedAtMs - startedAtMs)}
    </span>
  );
}
