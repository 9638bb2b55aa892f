/** While no incident is open: what Brunt sees, or how to let it see something. */
import type { RootCauseGraph } from "../../../wire/api-types.ts";
import { formatNoun } from "../format.ts";
import type { Board } from "../state/board.ts";
import { useFetched } from "../state/use-fetched.ts";
import { FirstSteps } from "./first-steps.tsx";
import { GraphView } from "./graph-view.tsx";

interface OverviewProps {
  readonly board: Board;
  readonly firingCount: number;
}

export function Overview({ board, firingCount }: OverviewProps) {
  const revision = `${board.epoch} ${board.window?.windowStartMs ?? 0}`;
  const graph = useFetched<RootCauseGraph>("/api/v1/graph", revision);
  if (graph === undefined) return <p className="hint">Loading the dependency graph.</p>;
  if (!graph.ok) return <p className="hint">No dependency graph: {graph.message}.</p>;
  if (graph.value.nodes.length === 0) return <FirstSteps hasIncidents={firingCount > 0} />;
  return (
    <>
      <h2 className="pane-title">{firingCount === 0 ? "All quiet" : "What Brunt sees"}</h2>
      <p className="hint">
        {formatNoun(graph.value.nodes.length, "service")} and far sides, as of the last window.{" "}
        {firingCount > 0 && "Choose an incident to see its cause and evidence."}
      </p>
      <GraphView graph={graph.value} signal="errors" title="dependency graph" />
    </>
  );
}
