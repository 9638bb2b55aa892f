/** Which state of a window a record goes into. */
import { expect, test } from "vitest";
import { createLosses } from "../../collector/windows/add-cube.ts";
import { WindowTable } from "../../collector/windows/window-table.ts";
import { batchOf, startMs, windowMs } from "./fixture.ts";

test("a window that was replayed before it was known to be closed has one state", () => {
  const table = new WindowTable({
    windowLengthMs: windowMs,
    limits: { keysMax: 100, edgesMax: 100, halfEdgesMax: 100 },
    losses: createLosses(),
    historyMs: 3_600_000,
  });
  const place = { startMs, lengthMs: windowMs };
  const nowMs = startMs + 2 * windowMs;
  const spans = [{ service: "shop" }];
  table.add(batchOf({ seq: 1, spans }), { place, lsn: 3, nowMs });
  table.markClosed(startMs + windowMs);
  table.start(nowMs);
  table.add(batchOf({ seq: 2, spans }), { place, lsn: 5, nowMs });
  const heard = { watermarkMs: undefined, isAnyoneExpected: false };
  const { close, revise } = table.takeDue(nowMs + windowMs, heard);
  expect([close.map(({ lsn }) => lsn), revise]).toEqual([[5], []]);
});
