/** A window's cells and gaps as the sums that shifts are told from. */
import {
  addBucket,
  addHistogramTo,
  createTimeSums,
  type EdgeSums,
  type OperationSums,
  type TraceSums,
} from "../../dependency-graph/trace-sums.ts";
import type { Cube } from "../../sketch/cube.ts";
import { isMetricKey, keyOf } from "../../sketch/key.ts";
import type { Gaps } from "./connect.ts";
import { farSideOf, type Registry } from "./registry.ts";
import { isOutgoing } from "./roll-up.ts";

const nsPerSecond = 1e9;

export function sumTraces(registry: Registry, cube: Cube, gaps: Gaps): TraceSums {
  const operations = new Map<string, OperationSums>();
  const { cells, keys } = cube;
  for (let row = 0; row < cells.size; row++) {
    const key = keyOf(keys, cells.keyOf(row));
    if (isMetricKey(key)) continue;
    const [service = "", operation = "", kind = "", peer = ""] = key;
    const id = `${service}\0${operation}\0${kind}\0${peer}`;
    let sums = operations.get(id);
    if (sums === undefined) {
      const callee = isOutgoing(kind) ? farSideOf(registry, { service, kind, peer }) : "";
      sums = { service, operation, kind, callee, self: createTimeSums(), seconds: 0 };
      operations.set(id, sums);
    }
    addRow(sums, cube, row);
  }
  return { startMs: cube.windowStartMs, operations, edges: sumGaps(gaps) };
}

function addRow(sums: OperationSums, { cells }: Cube, row: number): void {
  const { self } = sums;
  let seen = 0;
  cells.selfTimes.visit(row, (index, count) => {
    addBucket(self, index, count);
    seen += count;
  });
  const zeros = cells.selfTimes.countOf(row) - seen;
  if (zeros > 0) addBucket(self, undefined, zeros);
  sums.seconds += cells.durations.sumOf(row) / nsPerSecond;
}

function sumGaps(gaps: Gaps): ReadonlyMap<string, EdgeSums> {
  return new Map(
    [...gaps].map(([id, histogram]) => {
      const [caller, callee] = JSON.parse(id) as [string, string];
      const gap = createTimeSums();
      addHistogramTo(gap, histogram);
      return [id, { caller, callee, gap }];
    }),
  );
}
