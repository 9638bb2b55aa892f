/** Recorded spans through the agent's own reduction, in event time: windows of cells and edges. */
import { defaultAgentConfig } from "../../../agent/config.ts";
import { Pipeline } from "../../../agent/pipeline.ts";
import type { SealedWindow } from "../../../agent/windows/sealed-window.ts";
import { createVirtualClock, every } from "../../../base/clock.ts";
import { createMeter } from "../../../base/meter.ts";
import type { ClosedWindow } from "../../../collector/decide.ts";
import { type Cube, createCube, mergeCube } from "../../../sketch/cube.ts";
import { internOrFold, keyOf } from "../../../sketch/key.ts";

export interface SpansEnded {
  readonly endMs: number;
  readonly request: Uint8Array;
}

const secondMs = 1_000;

/** In order of time; what came late is in the window it belongs to. */
export function reduceTraces(seconds: readonly SpansEnded[]): ClosedWindow[] {
  const sealed: SealedWindow[] = [];
  const clock = createVirtualClock((seconds[0]?.endMs ?? 0) - secondMs);
  const pipeline = new Pipeline({
    config: { ...defaultAgentConfig(), listen: false, retrySeconds: 0 },
    clock,
    meter: createMeter(),
    hashKey: new Uint8Array(16),
    tableKey: new Uint8Array(16),
    deliver: (window) => void sealed.push(window),
    onTick: () => undefined,
    isAway: () => false,
  });
  const stop = every(clock, secondMs, () => pipeline.tick());
  for (const { endMs, request } of seconds) {
    clock.advance(endMs - clock.nowMs());
    const result = pipeline.ingest(request);
    if (!result.ok) throw new Error(result.error.message);
  }
  pipeline.sealAll();
  stop();
  return closedWindows(sealed);
}

function closedWindows(sealed: readonly SealedWindow[]): ClosedWindow[] {
  const windows = new Map<number, ClosedWindow>();
  for (const { cube, halfEdges, halfEdgeShift, windowLengthMs } of sealed) {
    const { windowStartMs } = cube;
    const known = windows.get(windowStartMs);
    const into = known?.cube ?? emptyLike(cube);
    mergeCube(into, cube);
    const added = halfEdges.map((half) => ({
      ...half,
      key: internOrFold(into.keys, keyOf(cube.keys, half.key)),
      shift: halfEdgeShift,
    }));
    windows.set(windowStartMs, {
      cube: into,
      halfEdges: [...(known?.halfEdges ?? []), ...added],
      coverage: 1,
      revised: false,
      windowStartMs,
      windowEndMs: windowStartMs + windowLengthMs,
    });
  }
  return [...windows.values()].sort((a, b) => a.windowStartMs - b.windowStartMs);
}

function emptyLike({ windowStartMs, keys, edges }: Cube): Cube {
  const limits = { keysMax: keys.keysMax, edgesMax: edges.rowsMax };
  return createCube(windowStartMs, keys.dimensions, limits);
}
