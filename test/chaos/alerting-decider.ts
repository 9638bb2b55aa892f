/**
 * Incidents scripted by the data: one for each service with failed spans, from its first bad window
 * to the first without. It says on stdout when one opens.
 */
import type { ClosedWindow, Decider, IncidentEvent } from "../../collector/decide.ts";
import { keyOf } from "../../sketch/key.ts";
import type { IncidentDetail } from "../../wire/api-types.ts";
import { detailOf, incidentOf } from "../notify/incidents.ts";

/** What the process says, a line each. */
export type Said = { readonly port: number } | { readonly opened: string; readonly atMs: number };

/** An incident of such a service is held back by the gate. */
export const heldPrefix = "held-";

export function say(said: Said): void {
  process.stdout.write(`${JSON.stringify(said)}\n`);
}

export function createScriptedDecider(): Decider {
  let incidents = new Map<string, IncidentDetail>();
  return {
    decide(window) {
      const failing = failingServices(window);
      const events: IncidentEvent[] = [];
      const put = (type: IncidentEvent["type"], incident: IncidentDetail): void => {
        incidents.set(incident.id, incident);
        events.push({ type, incident });
      };
      for (const id of failing) {
        if (incidents.has(id)) continue;
        const page = !id.startsWith(heldPrefix);
        const opened = detailOf(incidentOf({ id, cause: id, page }));
        put("incident.opened", { ...opened, startedAtMs: window.windowStartMs });
        say({ opened: id, atMs: Date.now() });
      }
      for (const incident of [...incidents.values()]) {
        if (incident.status === "resolved" || failing.has(incident.id)) continue;
        const resolvedAtMs = window.windowEndMs;
        put("incident.resolved", { ...incident, status: "resolved", resolvedAtMs });
      }
      return { anomalies: failing.size, events };
    },
    incidents: () => [...incidents.values()],
    incident: (id) => incidents.get(id),
    graph: () => ({ nodes: [], edges: [], hops: [] }),
    thresholds: () => ({ revision: 1, items: [] }),
    snapshot: () => incidents,
    restore: (snapshot) => {
      incidents = new Map(snapshot as Map<string, IncidentDetail>);
    },
  };
}

function failingServices({ cube }: ClosedWindow): ReadonlySet<string> {
  const at = cube.keys.dimensions.indexOf("service.name");
  const failing = [...cube.cells].filter(([, { errors }]) => errors > 0);
  return new Set(failing.map(([id]) => keyOf(cube.keys, id)[at] as string));
}
