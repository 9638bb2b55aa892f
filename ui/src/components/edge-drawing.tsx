/** Calls from one node to another: thicker for more, with count, bad share and gap beside it. */
import type { GraphEdge } from "../../../wire/api-types.ts";
import {
  formatCount,
  formatDurationMs,
  formatNoun,
  formatShare,
  formatShort,
  shareOf,
} from "../format.ts";
import { edgePath } from "../layout/edge-path.ts";
import type { PlacedEdge } from "../layout/graph-layout.ts";

interface EdgeDrawingProps {
  readonly placed: PlacedEdge;
  readonly edge: GraphEdge;
  readonly marker: string;
}

interface EdgeLabelProps {
  readonly placed: PlacedEdge;
  readonly edge: GraphEdge;
}

/** Twice as many bad calls as expected, and more than a handful, are worth a colour. */
const badFactor = 2;
const badMin = 5;

export function EdgeDrawing({ placed, edge, marker }: EdgeDrawingProps) {
  const tone = toneOf(edge);
  return (
    <g className={`edge edge-${tone}`}>
      <title>{describe(edge)}</title>
      <path
        d={edgePath(placed.points)}
        strokeWidth={widthOf(edge)}
        markerEnd={`url(#${marker}-${tone})`}
      />
    </g>
  );
}

/** Drawn after all edges, so that no line runs over it; one line above the edge, one below. */
export function EdgeLabel({ placed, edge }: EdgeLabelProps) {
  const { x, y } = placed.label;
  const [first, second] = labelOf(edge);
  return (
    <g className={`edge-label edge-label-${toneOf(edge)}`}>
      <title>{describe(edge)}</title>
      <text x={x} y={y - 7}>
        {first}
      </text>
      {second !== undefined && (
        <text x={x} y={y + 15} className="edge-second">
          {second}
        </text>
      )}
    </g>
  );
}

function toneOf(edge: GraphEdge): "path" | "bad" | "plain" {
  if (edge.onPath) return "path";
  return isBad(edge) ? "bad" : "plain";
}

function isBad({ bad, expected }: GraphEdge): boolean {
  return bad >= badMin && bad > expected * badFactor;
}

/** 1.2 for a few calls, about 3.6 for a million. */
function widthOf({ count, onPath }: GraphEdge): number {
  return Math.min(1.2 + Math.log10(1 + count) * 0.4, 4) + (onPath ? 0.8 : 0);
}

function labelOf(edge: GraphEdge): [string, string?] {
  const calls = `${formatShort(edge.count)} ${Math.round(edge.count) === 1 ? "call" : "calls"}`;
  const share = edge.bad === 0 ? [] : [`${formatShare(shareOf(edge))} bad`];
  const gap = edge.gapMs === null ? [] : [`gap ${formatDurationMs(edge.gapMs)}`];
  // Two lines have room for one of them; what is bad says more.
  const second = share[0] ?? gap[0];
  return second === undefined ? [calls] : [calls, second];
}

function describe(edge: GraphEdge): string {
  const { caller, callee, count, bad, expected, p50Ms, p99Ms, gapMs, paired } = edge;
  return [
    `${caller} → ${callee}`,
    `${formatNoun(count, "call")}, ${formatCount(bad)} bad (${formatShare(shareOf(edge))}), ${formatCount(expected)} expected`,
    `p50 ${formatDurationMs(p50Ms)}, p99 ${formatDurationMs(p99Ms)}`,
    gapMs === null ? "gap unknown: no call was paired" : `gap ${formatDurationMs(gapMs)}`,
    `${formatShare(paired)} of the calls seen from both sides`,
  ].join("\n");
}
