/** The drawing of call graphs: boxes and labels apart, calls leading right, any graph at all. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { edgePath } from "../../ui/src/layout/edge-path.ts";
import {
  type GraphLayout,
  labelSize,
  layOutGraph,
  nodeSize,
  type PlacedNode,
} from "../../ui/src/layout/graph-layout.ts";
import type { LayoutInput } from "../../ui/src/layout/layout-input.ts";
import { separate } from "../../ui/src/layout/place-rows.ts";

const seed = 4319;
const numRuns = 150;

/** "a>b b>c!" as a graph; `!` marks the walk. */
function graphOf(text: string, entries: readonly string[] = []): LayoutInput {
  const edges = text.split(" ").map((pair) => {
    const [from = "", to = ""] = pair.replace("!", "").split(">");
    return { from, to, onPath: pair.endsWith("!") };
  });
  const nodes = [...new Set(edges.flatMap(({ from, to }) => [from, to]))];
  return { nodes, edges, entries };
}

function overlaps(layout: GraphLayout): string[] {
  const boxes = [
    ...layout.nodes.map(({ id, x, y }) => ({ id, x, y, ...nodeSize })),
    ...layout.edges.map(({ from, to, label }) => ({
      id: `${from}>${to}`,
      x: label.x - labelSize.width / 2,
      y: label.y - labelSize.height / 2,
      ...labelSize,
    })),
  ];
  const slack = 1e-6;
  return boxes.flatMap((a, index) =>
    boxes
      .slice(index + 1)
      .filter(
        (b) =>
          a.x + a.width > b.x + slack &&
          b.x + b.width > a.x + slack &&
          a.y + a.height > b.y + slack &&
          b.y + b.height > a.y + slack,
      )
      .map((b) => `${a.id} on ${b.id}`),
  );
}

/** Points at which an edge runs through a box that is neither of its ends. */
function pierced(layout: GraphLayout): string[] {
  return layout.edges.flatMap(({ from, to, points }) =>
    layout.nodes
      .filter(({ id }) => id !== from && id !== to)
      .filter(({ x, y }) =>
        points.some(
          (point) =>
            point.x > x + 1 &&
            point.x < x + nodeSize.width - 1 &&
            point.y > y + 1 &&
            point.y < y + nodeSize.height - 1,
        ),
      )
      .map(({ id }) => `${from}>${to} through ${id}`),
  );
}

function columnsOf({ nodes }: GraphLayout): Record<string, number> {
  return Object.fromEntries(nodes.map(({ id, layer }) => [id, layer]));
}

const graphs = fc
  .record({
    size: fc.integer({ min: 1, max: 14 }),
    pairs: fc.array(fc.tuple(fc.nat(13), fc.nat(13), fc.boolean()), { maxLength: 40 }),
    entries: fc.array(fc.nat(13), { maxLength: 3 }),
  })
  .map(({ size, pairs, entries }): LayoutInput => {
    const name = (index: number): string => `s${index % size}`;
    const edges = new Map(
      pairs.map(([a, b, onPath]) => [
        `${a % size}>${b % size}`,
        { from: name(a), to: name(b), onPath },
      ]),
    );
    return {
      nodes: Array.from({ length: size }, (_, index) => name(index)),
      edges: [...edges.values()],
      entries: [...new Set(entries.map(name))],
    };
  });

describe("columns", () => {
  const rows: readonly [string, LayoutInput, Record<string, number>][] = [
    ["a chain runs right", graphOf("a>b b>c"), { a: 0, b: 1, c: 2 }],
    ["the longest way counts", graphOf("a>b b>c a>c"), { a: 0, b: 1, c: 2 }],
    [
      "a cycle is cut where the walk does not go",
      graphOf("a>b! b>c! c>a", ["a"]),
      { a: 0, b: 1, c: 2 },
    ],
    ["a ring without entry begins at its first", graphOf("b>c c>b"), { b: 0, c: 1 }],
    ["a call to oneself moves nothing", graphOf("a>a a>b"), { a: 0, b: 1 }],
    [
      "a late caller stands beside its callee",
      graphOf("a>b b>c cron>c", ["a"]),
      { a: 0, b: 1, c: 2, cron: 1 },
    ],
    [
      "an entry stays leftmost",
      graphOf("a>b b>c cron>c", ["a", "cron"]),
      { a: 0, b: 1, c: 2, cron: 0 },
    ],
  ];
  test.each(rows)("%s", (_, input, expected) => {
    expect(columnsOf(layOutGraph(input))).toEqual(expected);
  });
});

describe("any graph", () => {
  const check = (law: (input: LayoutInput, layout: GraphLayout) => void): void => {
    fc.assert(
      fc.property(graphs, (input) => {
        law(input, layOutGraph(input));
      }),
      { seed, numRuns },
    );
  };

  test("boxes and labels stand apart and inside the picture", () => {
    check((_, layout) => {
      expect(overlaps(layout)).toEqual([]);
      for (const { x, y } of layout.nodes) {
        expect(Math.min(x, y)).toBeGreaterThanOrEqual(0);
        expect(x + nodeSize.width).toBeLessThanOrEqual(layout.width);
        expect(y + nodeSize.height).toBeLessThanOrEqual(layout.height);
      }
    });
  });

  test("no edge runs through a box that is not its own", () => {
    check((_, layout) => expect(pierced(layout)).toEqual([]));
  });

  test("every node and every edge is drawn once, edges from their caller", () => {
    check((input, layout) => {
      expect(layout.nodes.map(({ id }) => id)).toEqual(input.nodes);
      expect(layout.edges.map(({ from, to }) => [from, to])).toEqual(
        input.edges.map(({ from, to }) => [from, to]),
      );
      const at = new Map(layout.nodes.map((node): [string, PlacedNode] => [node.id, node]));
      for (const { from, points } of layout.edges) {
        const caller = at.get(from) as PlacedNode;
        const start = points[0] as { x: number; y: number };
        expect(start.x).toBeGreaterThanOrEqual(caller.x);
        expect(start.x).toBeLessThanOrEqual(caller.x + nodeSize.width);
        expect(start.y).toBeGreaterThanOrEqual(caller.y);
        expect(start.y).toBeLessThanOrEqual(caller.y + nodeSize.height);
      }
    });
  });

  test("without a cycle every call leads right", () => {
    check((input) => {
      const acyclic = input.edges.filter(
        ({ from, to }) => input.nodes.indexOf(from) < input.nodes.indexOf(to),
      );
      const columns = columnsOf(layOutGraph({ ...input, edges: acyclic, entries: [] }));
      for (const { from, to } of acyclic) {
        expect(columns[to]).toBeGreaterThan(columns[from] as number);
      }
    });
  });

  test("the same graph gives the same picture", () => {
    check((input, layout) => expect(layOutGraph(input)).toEqual(layout));
  });
});

describe("special graphs", () => {
  test("the walk is straight", () => {
    const { nodes } = layOutGraph(graphOf("a>b! b>c! a>x b>y b>z c>w", ["a"]));
    const heights = nodes.filter(({ id }) => "abc".includes(id)).map(({ y }) => y);
    expect(Math.max(...heights) - Math.min(...heights)).toBeLessThan(2);
  });

  test("no nodes give an empty picture", () => {
    const { nodes, edges } = layOutGraph({ nodes: [], edges: [], entries: [] });
    expect({ nodes, edges }).toEqual({ nodes: [], edges: [] });
  });

  test("names that look like our own keys are names", () => {
    const input = graphOf("0>1 1>2 0>2 0>2@1 __proto__>constructor");
    expect(layOutGraph(input).nodes.map(({ id }) => id)).toEqual(input.nodes);
  });

  test("an edge to an unknown node is left out", () => {
    const input = { ...graphOf("a>b"), nodes: ["a"] };
    expect(layOutGraph(input).edges).toEqual([]);
  });

  test("sixty nodes with two hundred calls take less than a second", () => {
    const nodes = Array.from({ length: 60 }, (_, index) => `s${index}`);
    const edges = Array.from({ length: 200 }, (_, index) => ({
      from: `s${(index * 7) % 60}`,
      to: `s${(index * 13 + 5) % 60}`,
      onPath: false,
    }));
    const startedMs = performance.now();
    layOutGraph({ nodes, edges, entries: [] });
    expect(performance.now() - startedMs).toBeLessThan(1_000);
  });
});

describe("separate", () => {
  const rows: readonly [string, readonly number[], readonly number[]][] = [
    ["what is apart stays", [0, 20, 50], [0, 20, 50]],
    ["what is too close moves apart evenly", [10, 10], [5, 15]],
    ["a row of three keeps its middle", [10, 10, 10], [0, 10, 20]],
    ["wrong order is kept apart in the given one", [30, 0], [10, 20]],
    ["nothing", [], []],
  ];
  test.each(rows)("%s", (_, at, expected) => {
    expect(
      separate(
        at.map((value) => ({ at: value, weight: 1 })),
        10,
      ),
    ).toEqual(expected);
  });
});

describe("edge path", () => {
  const rows: readonly [string, readonly { x: number; y: number }[], string][] = [
    [
      "level is straight",
      [
        { x: 0, y: 5 },
        { x: 10, y: 5 },
      ],
      "M0 5L10 5",
    ],
    [
      "a change of height is smooth",
      [
        { x: 0, y: 0 },
        { x: 10, y: 8 },
      ],
      "M0 0C5 0 5 8 10 8",
    ],
    ["nothing", [], ""],
  ];
  test.each(rows)("%s", (_, points, expected) => expect(edgePath(points)).toBe(expected));
});
