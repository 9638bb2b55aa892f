/**
 * The rows of each layer: a slot for every node, and one in each layer that a long edge passes, so
 * that it has a place of its own there. Node ids are digits here, so no slot is called like a node.
 */
import type { LayoutEdge } from "./layout-input.ts";

/** The slots of one edge from its left end to its right end. */
export interface Chain {
  readonly slots: readonly string[];
}

/** Two slots of neighbouring layers that belong together; heavier ones are kept straighter. */
export interface SlotLink {
  readonly left: string;
  readonly right: string;
  readonly weight: number;
}

export interface Layers {
  readonly rows: readonly (readonly string[])[];
  readonly of: ReadonlyMap<string, number>;
}

export interface Slots {
  readonly layers: Layers;
  readonly chains: ReadonlyMap<string, Chain>;
  readonly links: readonly SlotLink[];
}

const weights = { onPath: 1_000, passing: 4, plain: 1 } as const;

export function createSlots(
  nodes: readonly string[],
  edges: readonly LayoutEdge[],
  layerOf: ReadonlyMap<string, number>,
): Slots {
  const of = new Map(layerOf);
  const rows: string[][] = Array.from({ length: Math.max(-1, ...layerOf.values()) + 1 }, () => []);
  for (const id of nodes) rows[layerOf.get(id) as number]?.push(id);
  const chains = new Map<string, Chain>();
  const links: SlotLink[] = [];
  for (const edge of edges) {
    const id = `${edge.from}>${edge.to}`;
    const slots = [edge.from];
    for (
      let layer = (of.get(edge.from) as number) + 1;
      layer < (of.get(edge.to) as number);
      layer++
    ) {
      const slot = `${id}@${layer}`;
      of.set(slot, layer);
      rows[layer]?.push(slot);
      slots.push(slot);
    }
    slots.push(edge.to);
    chains.set(id, { slots });
    const weight = edge.onPath
      ? weights.onPath
      : slots.length > 2
        ? weights.passing
        : weights.plain;
    for (const [index, left] of slots.slice(0, -1).entries()) {
      links.push({ left, right: slots[index + 1] as string, weight });
    }
  }
  return { layers: { rows, of }, chains, links };
}
