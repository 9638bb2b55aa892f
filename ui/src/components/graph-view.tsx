/**
 * A dependency graph, callers left, callees right; the walk to the cause drawn strong. It keeps a
 * readable size and scrolls inside its frame; the same numbers stand in a table below.
 */
import { useId, useMemo } from "react";
import type { GraphEdge, GraphNode, RootCauseGraph, Signal } from "../../../wire/api-types.ts";
import { formatCount, formatDurationMs, formatNoun, formatShare, shareOf } from "../format.ts";
import { type GraphLayout, layOutGraph } from "../layout/graph-layout.ts";
import { type Column, DataTable } from "./data-table.tsx";
import { EdgeDrawing, EdgeLabel } from "./edge-drawing.tsx";
import { GraphLegend } from "./graph-legend.tsx";
import { NodeDrawing } from "./node-drawing.tsx";

interface GraphViewProps {
  readonly graph: RootCauseGraph;
  readonly signal: Signal;
  readonly title: string;
}

/** More nobody reads, and more takes long to lay out. */
const nodesMax = 60;
/** Below this share of its natural size the text is too small; it scrolls instead. */
const scaleMin = 0.74;

export function GraphView({ graph, signal, title }: GraphViewProps) {
  const nodes = useMemo(() => mostTelling(graph.nodes), [graph.nodes]);
  const layout = useMemo(() => layOut(nodes, graph.edges), [nodes, graph.edges]);
  const marker = useId();
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const byEnds = new Map(graph.edges.map((edge) => [endsOf(edge.caller, edge.callee), edge]));
  const size = { width: "100%", minWidth: layout.width * scaleMin, maxWidth: layout.width };
  return (
    <figure className="graph">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by key */}
      <section className="graph-scroll" tabIndex={0} aria-label={title}>
        <svg role="img" viewBox={`0 0 ${layout.width} ${layout.height}`} style={size}>
          <title>{title}</title>
          <Arrowheads id={marker} />
          {layout.edges.toSorted(pathLast(byEnds)).map((placed) => {
            const ends = endsOf(placed.from, placed.to);
            const edge = byEnds.get(ends) as GraphEdge;
            return <EdgeDrawing key={ends} placed={placed} edge={edge} marker={marker} />;
          })}
          {layout.edges.map((placed) => {
            const ends = endsOf(placed.from, placed.to);
            return <EdgeLabel key={ends} placed={placed} edge={byEnds.get(ends) as GraphEdge} />;
          })}
          {layout.nodes.map((placed) => (
            <NodeDrawing
              key={placed.id}
              placed={placed}
              node={byId.get(placed.id) as GraphNode}
              signal={signal}
            />
          ))}
        </svg>
      </section>
      <figcaption>
        <GraphLegend nodes={nodes} />
        {nodes.length < graph.nodes.length && (
          <p className="hint">
            {formatNoun(nodes.length, "node")} of {formatCount(graph.nodes.length)} drawn, those
            with most to say.
          </p>
        )}
        <details className="calls">
          <summary>{formatNoun(graph.edges.length, "call path")} as a table</summary>
          <CallsTable edges={graph.edges} />
        </details>
      </figcaption>
    </figure>
  );
}

function layOut(nodes: readonly GraphNode[], edges: readonly GraphEdge[]): GraphLayout {
  return layOutGraph({
    nodes: nodes.map(({ id }) => id),
    edges: edges.map(({ caller, callee, onPath }) => ({ from: caller, to: callee, onPath })),
    entries: nodes.filter(({ role }) => role === "entry").map(({ id }) => id),
  });
}

function mostTelling(nodes: readonly GraphNode[]): readonly GraphNode[] {
  if (nodes.length <= nodesMax) return nodes;
  const rank = ({ role }: GraphNode): number => (role === "healthy" ? 1 : 0);
  return nodes.toSorted((a, b) => rank(a) - rank(b) || b.count - a.count).slice(0, nodesMax);
}

function endsOf(caller: string, callee: string): string {
  return JSON.stringify([caller, callee]);
}

/** The walk is drawn over the rest. */
function pathLast(byEnds: ReadonlyMap<string, GraphEdge>) {
  const rank = ({ from, to }: { from: string; to: string }): number =>
    byEnds.get(endsOf(from, to))?.onPath === true ? 1 : 0;
  return (a: { from: string; to: string }, b: { from: string; to: string }) => rank(a) - rank(b);
}

function Arrowheads({ id }: { id: string }) {
  return (
    <defs>
      {["plain", "bad", "path"].map((tone) => (
        <marker
          key={tone}
          id={`${id}-${tone}`}
          className={`arrow arrow-${tone}`}
          viewBox="0 0 8 8"
          refX="7"
          refY="4"
          markerWidth="8"
          markerHeight="8"
          markerUnits="userSpaceOnUse"
          orient="auto"
        >
          <path d="M0 0.5L8 4L0 7.5Z" />
        </marker>
      ))}
    </defs>
  );
}

const callColumns: readonly Column<GraphEdge>[] = [
  { name: "caller", cell: ({ caller }) => caller },
  { name: "callee", cell: ({ callee }) => callee },
  { name: "calls", numeric: true, cell: ({ count }) => formatCount(count) },
  { name: "bad", numeric: true, cell: (edge) => formatShare(shareOf(edge)) },
  { name: "p50", numeric: true, cell: ({ p50Ms }) => formatDurationMs(p50Ms) },
  { name: "p99", numeric: true, cell: ({ p99Ms }) => formatDurationMs(p99Ms) },
  {
    name: "gap",
    numeric: true,
    cell: ({ gapMs }) => (gapMs === null ? "unknown" : formatDurationMs(gapMs)),
  },
  { name: "paired", numeric: true, cell: ({ paired }) => formatShare(paired) },
];

function CallsTable({ edges }: { edges: readonly GraphEdge[] }) {
  return (
    <DataTable
      label="calls between nodes"
      columns={callColumns}
      rows={edges.toSorted((a, b) => b.count - a.count)}
      keyOf={({ caller, callee }) => endsOf(caller, callee)}
    />
  );
}
