/**
 * A layered drawing of a call graph: callers left of callees, wherever there is no cycle.
 *
 *   break cycles → layers by longest path → order against crossings → place without overlap
 *
 * Deterministic: the same graph gives the same picture. Lengths are SVG user units.
 * Source of the phases: Sugiyama, Tagawa, Toda 1981.
 */
import { assignLayers } from "./assign-layers.ts";
import { breakCycles } from "./break-cycles.ts";
import type { LayoutEdge, LayoutInput } from "./layout-input.ts";
import { orderLayers } from "./order-layers.ts";
import { placeRows, separate } from "./place-rows.ts";
import { type Chain, createSlots } from "./slots.ts";

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface PlacedNode extends Point {
  readonly id: string;
  readonly layer: number;
}

export interface PlacedEdge {
  readonly from: string;
  readonly to: string;
  /** From the side of the caller to the side of the callee, in the direction of the call. */
  readonly points: readonly Point[];
  readonly label: Point;
}

export interface GraphLayout {
  readonly width: number;
  readonly height: number;
  /** `x`, `y` is the upper left corner of a box of `nodeSize`. */
  readonly nodes: readonly PlacedNode[];
  readonly edges: readonly PlacedEdge[];
}

export const nodeSize = { width: 164, height: 64 } as const;
export const labelSize = { width: 84, height: 38 } as const;
const layerGap = 96;
const rowGap = 30;
const margin = 14;
const selfLoopReach = 16;
const reversedOffset = 14;

export function layOutGraph(input: LayoutInput): GraphLayout {
  const names = [...new Set(input.nodes)];
  const keyed = withKeys(names, input);
  const between = keyed.edges.filter(({ from, to }) => from !== to);
  const forward = breakCycles({ ...keyed, edges: between });
  const layerOf = assignLayers(keyed.nodes, forward, new Set(keyed.entries));
  const { layers, chains, links } = createSlots(keyed.nodes, forward, layerOf);
  const ordered = orderLayers(layers, links);
  const centres = placeRows(ordered, links, nodeSize.height + rowGap);
  const top = Math.min(...centres.values(), 0);
  const centreOf = (slot: string): Point => ({
    x: margin + (layers.of.get(slot) as number) * (nodeSize.width + layerGap) + nodeSize.width / 2,
    y: margin + nodeSize.height / 2 + (centres.get(slot) as number) - top,
  });
  const nodes = names.map((id, index): PlacedNode => {
    const { x, y } = centreOf(String(index));
    const corner = { x: x - nodeSize.width / 2, y: y - nodeSize.height / 2 };
    return { id, layer: layers.of.get(String(index)) as number, ...corner };
  });
  const placed = keyed.edges.map((edge) => {
    const way = edge.from === edge.to ? loop(edge, centreOf) : route(edge, chains, centreOf);
    return {
      ...way,
      from: names[Number(edge.from)] as string,
      to: names[Number(edge.to)] as string,
    };
  });
  return { nodes, edges: spreadLabels(placed), ...extentOf(nodes, placed) };
}

/** Names become numbers: whatever a service is called, it cannot be taken for a slot. */
function withKeys(names: readonly string[], input: LayoutInput): LayoutInput {
  const keys = new Map(names.map((id, index) => [id, String(index)]));
  return {
    nodes: [...keys.values()],
    entries: input.entries.flatMap((id) => keys.get(id) ?? []),
    edges: input.edges.flatMap(({ from, to, onPath }) => {
      const [caller, callee] = [keys.get(from), keys.get(to)];
      return caller === undefined || callee === undefined
        ? []
        : [{ from: caller, to: callee, onPath }];
    }),
  };
}

/** Through the slots of its chain; a reversed edge runs back the way it came. */
function route(
  edge: LayoutEdge,
  chains: ReadonlyMap<string, Chain>,
  centreOf: (slot: string) => Point,
): PlacedEdge {
  const chain = chains.get(`${edge.from}>${edge.to}`) ?? chains.get(`${edge.to}>${edge.from}`);
  const slots = (chain as Chain).slots;
  const isReversed = slots[0] !== edge.from;
  // Beside its counterpart, should there be one, not on top of it.
  const offset = isReversed ? reversedOffset : 0;
  const centres = slots.map(centreOf).map(({ x, y }) => ({ x, y: y + offset }));
  const first = centres[0] as Point;
  const last = centres.at(-1) as Point;
  const half = nodeSize.width / 2;
  // A slot between layers is passed level, as if a box were there, so that no box is crossed.
  const between = centres.slice(1, -1).flatMap(({ x, y }) => [
    { x: x - half, y },
    { x: x + half, y },
  ]);
  const points = [{ x: first.x + half, y: first.y }, ...between, { x: last.x - half, y: last.y }];
  const at = points.at(-2) as Point;
  const label = { x: last.x - half - layerGap / 2, y: (at.y + last.y) / 2 };
  const { from, to } = edge;
  return { from, to, points: isReversed ? points.toReversed() : points, label };
}

function loop({ from, to }: LayoutEdge, centreOf: (slot: string) => Point): PlacedEdge {
  const { x, y } = centreOf(from);
  const top = y - nodeSize.height / 2;
  const points = [
    { x: x - 20, y: top },
    { x: x - 20, y: top - selfLoopReach },
    { x: x + 20, y: top - selfLoopReach },
    { x: x + 20, y: top },
  ];
  return { from, to, points, label: { x: x + nodeSize.width / 2 + layerGap / 2, y: top } };
}

/** Labels of one gap between layers share a column; they are moved apart as little as needed. */
function spreadLabels(edges: readonly PlacedEdge[]): PlacedEdge[] {
  const columns = new Map<number, number[]>();
  for (const [index, { label }] of edges.entries()) {
    columns.set(label.x, [...(columns.get(label.x) ?? []), index]);
  }
  const result = [...edges];
  for (const column of columns.values()) {
    const sorted = column.toSorted(
      (a, b) => (edges[a] as PlacedEdge).label.y - (edges[b] as PlacedEdge).label.y,
    );
    const wanted = sorted.map((index) => ({ at: (edges[index] as PlacedEdge).label.y, weight: 1 }));
    const ys = separate(wanted, labelSize.height);
    for (const [row, index] of sorted.entries()) {
      const edge = edges[index] as PlacedEdge;
      result[index] = { ...edge, label: { x: edge.label.x, y: ys[row] as number } };
    }
  }
  return result;
}

function extentOf(nodes: readonly PlacedNode[], edges: readonly PlacedEdge[]) {
  const right = nodes.map(({ x }) => x + nodeSize.width);
  const bottom = nodes.map(({ y }) => y + nodeSize.height);
  const labels = edges.map(({ label }) => label.y + labelSize.height / 2);
  const loops = edges
    .filter(({ from, to }) => from === to)
    .map(({ label }) => label.x + labelSize.width / 2);
  return {
    width: Math.max(0, ...right, ...loops) + margin,
    height: Math.max(0, ...bottom, ...labels) + margin,
  };
}
