/** What the boxes mean; only those that occur. */
import type { GraphNode } from "../../../wire/api-types.ts";
import { shapeOf } from "../layout/node-shape.ts";

const roles: readonly (readonly [GraphNode["role"], string])[] = [
  ["entry", "entry: customers meet it here"],
  ["affected", "affected by another"],
  ["quiet", "quiet: passes it on without failing"],
  ["cause", "cause"],
  ["healthy", "healthy"],
];
const size = { width: 26, height: 16 };

export function GraphLegend({ nodes }: { nodes: readonly GraphNode[] }) {
  const hasVirtual = nodes.some(({ virtual }) => virtual);
  return (
    <ul className="legend">
      {roles
        .filter(([role]) => nodes.some((node) => node.role === role))
        .map(([role, text]) => (
          <li key={role}>
            <Sample className={`node node-${role}`} outline={roundSample} />
            {text}
          </li>
        ))}
      {hasVirtual && (
        <li>
          <Sample
            className="node node-virtual"
            outline={shapeOf({ virtual: true, type: "database" }, size).outline}
          />
          other shapes: seen by its callers only
        </li>
      )}
    </ul>
  );
}

const roundSample = "M4 0H22A4 4 0 0 1 26 4V12A4 4 0 0 1 22 16H4A4 4 0 0 1 0 12V4A4 4 0 0 1 4 0Z";

function Sample({ className, outline }: { className: string; outline: string }) {
  return (
    <svg viewBox="-2 -2 30 20" width="30" height="20" aria-hidden="true">
      <g className={className}>
        <path className="node-shape" d={outline} />
      </g>
    </svg>
  );
}
