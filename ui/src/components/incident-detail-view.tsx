/** Everything known of one incident; fetched again whenever the stream says it changed. */
import { Fragment } from "react";
import type { Incident, IncidentDetail } from "../../../wire/api-types.ts";
import { badWord, formatMoment, formatNoun, formatShare, formatShort, shareOf } from "../format.ts";
import { useFetched } from "../state/use-fetched.ts";
import { linkTo } from "../state/use-selection.ts";
import { AnomaliesTable } from "./anomalies-table.tsx";
import { CombinationChips } from "./combination-chips.tsx";
import { CombinationsTable } from "./combinations-table.tsx";
import { CustomersNumber } from "./customers-number.tsx";
import { EntriesTable } from "./entries-table.tsx";
import { GraphView } from "./graph-view.tsx";
import { HopList } from "./hop-list.tsx";
import { PageState } from "./page-state.tsx";
import { VerdictBadge } from "./verdict-badge.tsx";

interface IncidentDetailViewProps {
  readonly id: string;
  /** As the stream told it last; undefined for one that is no longer on the page. */
  readonly live: Incident | undefined;
  readonly nowMs: number;
}

export function IncidentDetailView({ id, live, nowMs }: IncidentDetailViewProps) {
  const revision = `${live?.asOfMs} ${live?.status} ${live?.impact.bad}`;
  const fetched = useFetched<IncidentDetail>(
    `/api/v1/incidents/${encodeURIComponent(id)}`,
    revision,
  );
  const detail = fetched?.ok ? fetched.value : undefined;
  const incident = live ?? detail;
  return (
    <article className="detail" aria-busy={fetched === undefined}>
      <a className="back" href={linkTo(undefined)}>
        ← all incidents
      </a>
      {incident !== undefined && <Head incident={incident} nowMs={nowMs} />}
      {fetched?.ok === false && <p className="hint">{fetched.message}</p>}
      {detail !== undefined && <Evidence detail={detail} />}
    </article>
  );
}

function Head({ incident, nowMs }: { incident: Incident; nowMs: number }) {
  const { status, title, startedAtMs, resolvedAtMs, impact, signal, score, coverage } = incident;
  const facts: readonly (readonly [string, string, string?])[] = [
    [badWord(signal), formatShare(shareOf(impact)), bad(impact)],
    ["started", formatMoment(startedAtMs, nowMs)],
    resolvedAtMs === null
      ? ["as of", formatMoment(incident.asOfMs, nowMs)]
      : ["resolved", formatMoment(resolvedAtMs, nowMs)],
    ["score", score.toFixed(1), "of 10"],
    ["coverage", formatShare(coverage)],
  ];
  return (
    <header className="head">
      <p className="head-state">
        <span className={`status status-${status}`}>{status}</span>
        {status === "firing" && <PageState incident={incident} />}
      </p>
      <h2 className="head-title">{title}</h2>
      <div className="head-facts">
        <CustomersNumber incident={incident} />
        <dl className="facts">
          {facts.map(([name, value, note]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>
                {value} {note !== undefined && <small>{note}</small>}
              </dd>
            </div>
          ))}
        </dl>
      </div>
    </header>
  );
}

function bad({ bad, count }: { bad: number; count: number }): string {
  return `${formatShort(bad)} of ${formatShort(count)}`;
}

function Evidence({ detail }: { detail: IncidentDetail }) {
  const { cause, graph, combinations, alternatives = [], impact, anomalies, signal } = detail;
  const path = graph.hops.map(({ from }) => from).join(" → ");
  return (
    <>
      <section className="cause" aria-label="cause">
        <h3>
          {cause.kind === "none" ? "Cause not found" : <strong>{cause.name}</strong>}
          <VerdictBadge verdict={cause.verdict} />
        </h3>
        {cause.reason !== "" && <p>{cause.reason}</p>}
      </section>
      <div className="walk">
        <section className="walk-graph">
          <h3>From entry to cause</h3>
          <GraphView graph={graph} signal={signal} title={`root-cause graph: ${path}`} />
        </section>
        <section className="walk-hops">
          <h3>Evidence, hop by hop</h3>
          <HopList hops={graph.hops} />
        </section>
      </div>
      <section>
        <h3>Where exactly</h3>
        <CombinationsTable combinations={combinations} signal={signal} />
        {alternatives.length > 0 && (
          <p className="hint">
            Nearly as good an explanation:{" "}
            {alternatives.map(({ attributes }, index) => (
              <Fragment key={JSON.stringify(attributes)}>
                {index > 0 && " or "}
                <CombinationChips attributes={attributes} />
              </Fragment>
            ))}
          </p>
        )}
      </section>
      <section>
        <h3>Affected entries</h3>
        <EntriesTable entries={impact.entries} signal={signal} />
      </section>
      <section>
        <h3>
          Anomalies <small>{formatNoun(anomalies.length, "departure")} from a baseline</small>
        </h3>
        <AnomaliesTable anomalies={anomalies} />
      </section>
    </>
  );
}
