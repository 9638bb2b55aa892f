/** Whether it wakes somebody, and if not, why not. */
import type { Incident } from "../../../wire/api-types.ts";

export function PageState({ incident }: { incident: Incident }) {
  if (incident.status === "resolved") return <span className="gate gate-over">resolved</span>;
  if (incident.page) return <span className="gate gate-pages">pages</span>;
  return <span className="gate">{incident.gate === "" ? "held back" : incident.gate}</span>;
}
