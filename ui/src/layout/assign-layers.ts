/**
 * A layer for each node, so that every edge leads right: the longest way from a start. A start that
 * is no entry moves right, next to the first node it calls.
 */

import { groupBy } from "./group-by.ts";
import type { LayoutEdge } from "./layout-input.ts";

/** `edges` have no cycle. */
export function assignLayers(
  nodes: readonly string[],
  edges: readonly LayoutEdge[],
  entries: ReadonlySet<string>,
): Map<string, number> {
  const layers = new Map(nodes.map((id) => [id, 0]));
  const waiting = new Map(nodes.map((id) => [id, 0]));
  for (const { to } of edges) waiting.set(to, (waiting.get(to) as number) + 1);
  const starts = nodes.filter((id) => waiting.get(id) === 0);
  const ready = [...starts];
  const outgoing = groupBy(edges, ({ from }) => from);
  for (let next = 0; next < ready.length; next++) {
    const id = ready[next] as string;
    for (const { to } of outgoing.get(id) ?? []) {
      layers.set(to, Math.max(layers.get(to) as number, (layers.get(id) as number) + 1));
      waiting.set(to, (waiting.get(to) as number) - 1);
      if (waiting.get(to) === 0) ready.push(to);
    }
  }
  for (const id of starts) {
    const callees = (outgoing.get(id) ?? []).map(({ to }) => layers.get(to) as number);
    if (!entries.has(id) && callees.length > 0) layers.set(id, Math.min(...callees) - 1);
  }
  return layers;
}
