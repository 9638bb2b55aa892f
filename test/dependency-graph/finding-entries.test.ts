import { expect, test } from "vitest";
import { findCauses } from "../../dependency-graph/root-cause.ts";
import { type GraphCase, graphOf } from "./cause-cases.ts";

/**
 * `db` fails for `api`, which fails `web` and a little of `shop`; `batch` puts up with its own
 * failures of `db`, and nothing fails at `desk`, which calls it.
 */
const graph: GraphCase = {
  nodes: {
    web: { server: { bad: 12, count: 200 } },
    shop: { server: { bad: 3, count: 100 } },
    quiet: { server: { bad: 1, count: 200 } },
    desk: { server: { bad: 1, count: 200 } },
    api: { server: { bad: 16 } },
    batch: { server: { bad: 9 } },
    db: { server: { bad: 25 }, origin: { bad: 25 } },
  },
  calls: {
    "web>api": { bad: 12 },
    "shop>api": { bad: 4 },
    "quiet>api": { bad: 0 },
    "desk>batch": { bad: 0 },
    "api>db": { bad: 16 },
    "batch>db": { bad: 9 },
  },
};

test("customers meet a cause wherever its bad calls come out, however few, and nowhere else", () => {
  const [found, ...rest] = findCauses(graphOf(graph));
  expect(rest).toEqual([]);
  expect(found?.cause.name).toBe("db");
  // Too little at the shop to stand out by itself; the desk never saw the batch fail.
  expect(found?.entries).toEqual(["web", "shop"]);
  expect(found?.hops[0]?.from).toBe("web");
});

test("where no bad call comes out, they meet it at what nobody bad calls", () => {
  const [found] = findCauses(
    graphOf({
      nodes: { web: {}, batch: { server: { bad: 9 } }, db: graph.nodes.db ?? {} },
      calls: { "web>batch": { bad: 0 }, "batch>db": { bad: 9 } },
    }),
  );
  expect(found?.entries).toEqual(["batch"]);
});
