/** An incident as an alert: what somebody woken by it needs, within bounds. */

import type { Alert, AlertState } from "../../wire/alerts.ts";
import type { Cause, Incident } from "../../wire/api-types.ts";
import type { Labels } from "./notifier.ts";

const combinationsMax = 5;
const attributesMax = 16;
const entriesMax = 10;
const textSizeMax = 512;

export function alertOf(incident: Incident, state: AlertState, revision: number): Alert {
  const { id, impact } = incident;
  return {
    key: keyOf(id, state, revision),
    state,
    revision,
    incident: id,
    title: cut(incident.title),
    signal: incident.signal,
    score: incident.score,
    startedAtMs: incident.startedAtMs,
    asOfMs: incident.asOfMs,
    resolvedAtMs: state === "resolved" ? incident.resolvedAtMs : null,
    cause: {
      ...incident.cause,
      name: cut(incident.cause.name),
      reason: cut(incident.cause.reason),
    },
    combinations: incident.combinations
      .slice(0, combinationsMax)
      .map(({ attributes, explained, customers }) => ({
        attributes: attributes.slice(0, attributesMax).map(({ dimension, value }) => ({
          dimension: cut(dimension),
          value: cut(value),
        })),
        explained,
        customers,
      })),
    customers: impact.customers,
    entries: impact.entries.slice(0, entriesMax).map(({ service, operation, count, bad }) => ({
      ...{ service: cut(service), operation: cut(operation), count, bad },
    })),
    coverage: incident.coverage,
  };
}

export function keyOf(incident: string, state: AlertState, revision: number): string {
  return `${incident}:${state}:${revision}`;
}

/**
 * What an alert is told apart and routed by. Alertmanager knows an alert by its labels, so they
 * are made when it first fires and never change.
 */
export function labelsOf(incident: Incident): Labels {
  return {
    alertname: "BruntIncident",
    incident: incident.id,
    signal: incident.signal,
    service: cut(servicesOf(incident.cause)[0] ?? incident.impact.entries[0]?.service ?? ""),
  };
}

/** The node of a cause, or the ends of its edge. */
export function servicesOf({ kind, name }: Cause): readonly string[] {
  if (kind === "none") return [];
  return kind === "edge" ? name.split(" → ") : [name];
}

function cut(text: string): string {
  return text.length <= textSizeMax ? text : `${text.slice(0, textSizeMax - 1)}…`;
}
