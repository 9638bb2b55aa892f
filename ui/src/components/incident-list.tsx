/** Firing incidents, most customers first; the resolved ones below. */
import type { Incident } from "../../../wire/api-types.ts";
import type { Link } from "../state/board.ts";
import { IncidentCard } from "./incident-card.tsx";

interface IncidentListProps {
  readonly firing: readonly Incident[];
  readonly resolved: readonly Incident[];
  readonly selectedId: string | undefined;
  readonly link: Link;
  readonly nowMs: number;
}

export function IncidentList({ firing, resolved, selectedId, link, nowMs }: IncidentListProps) {
  const cards = (incidents: readonly Incident[]) =>
    incidents.map((incident) => (
      <li key={incident.id}>
        <IncidentCard incident={incident} selected={incident.id === selectedId} nowMs={nowMs} />
      </li>
    ));
  return (
    <section className="list" aria-label="incidents">
      <h1 className="list-title">
        Incidents <span className="count">{firing.length}</span>
      </h1>
      {firing.length === 0 ? (
        <p className="list-quiet">{quietText(link)}</p>
      ) : (
        <ol className="cards" aria-label="firing, most customers affected first">
          {cards(firing)}
        </ol>
      )}
      {resolved.length > 0 && (
        <>
          <h2 className="list-title">
            Resolved <span className="count">{resolved.length}</span>
          </h2>
          <ol className="cards" aria-label="resolved, newest first">
            {cards(resolved)}
          </ol>
        </>
      )}
    </section>
  );
}

function quietText(link: Link): string {
  if (link.phase === "live") return "No incident. A new one appears here by itself.";
  return link.phase === "connecting" ? "Connecting to the collector." : "The collector is away.";
}
