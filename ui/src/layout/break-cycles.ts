/**
 * Turns edges round until no cycle is left: those that a depth-first walk from the entries finds
 * leading back to where it came from. Two edges that end up the same are kept once.
 */

import { groupBy } from "./group-by.ts";
import type { LayoutEdge, LayoutInput } from "./layout-input.ts";

export function breakCycles({ nodes, edges, entries }: LayoutInput): LayoutEdge[] {
  // The walk follows the path first, so that a cycle is cut elsewhere.
  const pathFirst = edges.toSorted((a, b) => Number(b.onPath) - Number(a.onPath));
  const outgoing = groupBy(pathFirst, ({ from }) => from);
  const called = new Set(edges.map(({ to }) => to));
  const roots = nodes.filter((id) => !called.has(id));
  const state = new Map<string, "open" | "done">();
  const backward = new Set<LayoutEdge>();
  for (const id of [...entries, ...roots, ...nodes]) walk(id, { outgoing, state, backward });
  const forward = new Map<string, LayoutEdge>();
  for (const edge of edges) {
    const turned = backward.has(edge) ? { ...edge, from: edge.to, to: edge.from } : edge;
    const id = `${turned.from}>${turned.to}`;
    const onPath = turned.onPath || (forward.get(id)?.onPath ?? false);
    forward.set(id, { ...turned, onPath });
  }
  return [...forward.values()];
}

interface Walk {
  readonly outgoing: ReadonlyMap<string, readonly LayoutEdge[]>;
  readonly state: Map<string, "open" | "done">;
  readonly backward: Set<LayoutEdge>;
}

/** Depth first with its own stack: a chain of calls may be longer than the engine's. */
function walk(root: string, { outgoing, state, backward }: Walk): void {
  if (state.has(root)) return;
  state.set(root, "open");
  const stack = [{ id: root, next: 0 }];
  for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
    const edge = outgoing.get(top.id)?.[top.next++];
    if (edge === undefined) {
      state.set(top.id, "done");
      stack.pop();
    } else if (!state.has(edge.to)) {
      state.set(edge.to, "open");
      stack.push({ id: edge.to, next: 0 });
    } else if (state.get(edge.to) === "open") {
      backward.add(edge);
    }
  }
}
