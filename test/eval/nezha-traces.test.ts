import { expect, test } from "vitest";
import { callersIn, type RecordedTrace, requestsOf } from "../../bench/eval/cause/nezha-traces.ts";
import { reduceTraces } from "../../bench/eval/cause/reduce-traces.ts";
import { connect } from "../../collector/stages/connect.ts";
import { createRegistry } from "../../collector/stages/registry.ts";
import { sumTraces } from "../../collector/stages/sum-traces.ts";

const startNs = 1_800_000_000_000_000_000n;
const msNs = 1_000_000n;

/** A request to the shop, of which one in two asks the stock; ten milliseconds go by between. */
function trace(index: number): RecordedTrace {
  const span = (parent: number, pod: string, operation: string, ms: readonly [number, number]) => ({
    parent,
    pod,
    operation,
    startNs: startNs + BigInt(index) * 500n * msNs + BigInt(ms[0]) * msNs,
    durationNs: BigInt(ms[1]) * msNs,
  });
  const shop = "shop-5f6585d649-fnmft";
  const spans = [
    span(-1, shop, "GET /", [0, 100]),
    span(0, shop, "parse", [0, 20]),
    span(0, shop, "ask", [30, 40]),
  ];
  if (index % 2 === 0) spans.push(span(2, "stock-579f59597d-wc2lz", "serve", [35, 30]));
  return { id: index.toString(16).padStart(32, "a"), spans };
}

test("recorded spans become cells, edges and gaps by the agent's own reduction", () => {
  const traces = Array.from({ length: 40 }, (_, index) => trace(index));
  const callers = callersIn(traces);
  expect([...callers]).toEqual([["shop\0ask", "stock"]]);
  const registry = createRegistry();
  const sums = reduceTraces(requestsOf(traces, callers)).map((window) =>
    sumTraces(registry, window.cube, connect(registry, window, window.windowEndMs)),
  );
  const operations = sums.flatMap((window) => [...window.operations.values()]);
  const counted = (operation: string) => {
    const own = operations.filter((one) => one.operation === operation);
    const [first] = own;
    const count = own.reduce((sum, { self }) => sum + self.count, 0);
    const selfMs = own.reduce((sum, { self }) => sum + self.seconds * 1_000, 0) / count;
    return [first?.service, first?.kind, first?.callee, count, Math.round(selfMs)];
  };
  expect(counted("GET /")).toEqual(["shop", "server", "", 40, 40]);
  expect(counted("parse")).toEqual(["shop", "internal", "", 40, 20]);
  // Who got no answer called as well, and whom is known from those who did.
  expect(counted("ask").slice(0, 4)).toEqual(["shop", "client", "stock", 40]);
  expect(counted("serve").slice(0, 4)).toEqual(["stock", "server", "", 20]);
  const gaps = sums.flatMap((window) => [...window.edges.values()]);
  expect(gaps.reduce((sum, { gap }) => sum + gap.count, 0)).toBe(20);
  expect(gaps[0]).toMatchObject({ caller: "shop", callee: "stock" });
  expect((gaps[0]?.gap.seconds ?? 0) / (gaps[0]?.gap.count ?? 1)).toBeCloseTo(0.01, 3);
});
