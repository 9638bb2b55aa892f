/** A service as a box; a far side without spans of its own in a shape that says what it is. */
import type { GraphNode, Signal } from "../../../wire/api-types.ts";
import {
  badWord,
  formatCount,
  formatDurationMs,
  formatEstimate,
  formatExpected,
  formatNoun,
  formatShort,
} from "../format.ts";
import { nodeSize, type PlacedNode } from "../layout/graph-layout.ts";
import { shapeOf } from "../layout/node-shape.ts";

interface NodeDrawingProps {
  readonly placed: PlacedNode;
  readonly node: GraphNode;
  readonly signal: Signal;
}

/** What fits a box at the sizes of graph.css. */
const nameLengthMax = 18;
const middle = nodeSize.width / 2;

export function NodeDrawing({ placed, node, signal }: NodeDrawingProps) {
  const { outline, detail } = shapeOf(node, nodeSize);
  const top = node.virtual && node.type === "database" ? 5 : 0;
  return (
    <g
      className={`node node-${node.role}${node.virtual ? " node-virtual" : ""}`}
      transform={`translate(${placed.x} ${placed.y})`}
      data-node={node.id}
    >
      <title>{describe(node, signal)}</title>
      <path className="node-shape" d={outline} />
      {detail !== undefined && <path className="node-detail" d={detail} />}
      <text className="node-name" x={middle} y={22 + top}>
        {shorten(node.id)}
      </text>
      <text className="node-numbers" x={middle} y={38 + top}>
        {numbersOf(node, signal)}
      </text>
      <text className="node-role" x={middle} y={53 + top}>
        {roleText(node)}
      </text>
    </g>
  );
}

/** The end of a long name tells more than its middle. */
function shorten(name: string): string {
  if (name.length <= nameLengthMax) return name;
  const tail = Math.floor((nameLengthMax - 1) / 2);
  return `${name.slice(0, nameLengthMax - 1 - tail)}…${name.slice(-tail)}`;
}

function numbersOf({ count, bad }: GraphNode, signal: Signal): string {
  if (bad === 0) return formatNoun(count, "span");
  return `${formatShort(bad)} of ${formatShort(count)} ${badWord(signal)}`;
}

function roleText({ role, virtual, type, originBad, customersBad, p99Ms }: GraphNode): string {
  const kind = virtual ? [type === "" ? "no spans" : type.replace("_system", "")] : [];
  const words: Readonly<Record<GraphNode["role"], readonly string[]>> = {
    cause: ["cause", ...(originBad > 0 ? [`${formatShort(originBad)} began here`] : kind)],
    entry: [
      "entry",
      ...(customersBad === null ? [] : [`${formatShort(customersBad.value)} customers`]),
    ],
    affected: ["affected", ...kind],
    quiet: ["quiet", ...kind],
    healthy: [...kind, `p99 ${formatDurationMs(p99Ms)}`],
  };
  return words[role].join(" · ");
}

function describe(node: GraphNode, signal: Signal): string {
  const { id, role, aliases, count, bad, expected, originBad, p50Ms, p99Ms, customersBad } = node;
  return [
    `${id}: ${role}${node.virtual ? ", reports no spans of its own" : ""}`,
    ...(aliases.length === 0 ? [] : [`also known as ${aliases.join(", ")}`]),
    `${formatCount(bad)} of ${formatCount(count)} ${badWord(signal)}, ${formatExpected(expected)} expected, ${formatCount(originBad)} began here`,
    `p50 ${formatDurationMs(p50Ms)}, p99 ${formatDurationMs(p99Ms)}`,
    ...(customersBad === null
      ? []
      : [`${formatEstimate(customersBad)} customers with a bad event`]),
  ].join("\n");
}
