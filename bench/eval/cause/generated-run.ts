/** A made-up system under the product: spans to an agent's reduction, its windows to the stages. */
import { defaultAgentConfig } from "../../../agent/config.ts";
import { Pipeline } from "../../../agent/pipeline.ts";
import { everySecond } from "../../../agent/tick.ts";
import type { SealedWindow } from "../../../agent/windows/sealed-window.ts";
import { createVirtualClock } from "../../../base/clock.ts";
import { createMeter } from "../../../base/meter.ts";
import type { Prng } from "../../../base/prng.ts";
import type { Decider } from "../../../collector/decide.ts";
import { createDecider } from "../../../collector/stages/decider.ts";
import type { IncidentDetail } from "../../../wire/api-types.ts";
import { deciderSettings } from "../configuration.ts";
import type { Fault } from "./generated-faults.ts";
import { type Served, serveRequests } from "./generated-requests.ts";
import { createSpanEncoder } from "./generated-spans.ts";
import type { World } from "./generated-world.ts";

export interface FaultRun {
  readonly incidents: readonly IncidentDetail[];
  readonly hurt: ReadonlySet<number>;
  /** Of the decisions during the trouble. */
  readonly decisionSeconds: readonly number[];
}

const startMs = 1_800_000_000_000;
const windowMs = 10_000;
/** Requests come in the first part of a window, so their spans end in it. */
const busyMs = 6_000;
const learnWindows = 12;
const troubledWindows = 4;
const keysMax = 50_000;
const msPerSecond = 1_000;

export interface Plan {
  readonly fault: Fault;
  readonly requests: number;
}

/** How often the fault strikes and whom it hurts in as many windows, without the product. */
export function tryFault(prng: Prng, world: World, { fault, requests }: Plan): Served {
  const all = requests * troubledWindows;
  return serveRequests(prng, world, { requests: all, spanMs: busyMs, fault });
}

export function runFault(prng: Prng, world: World, { fault, requests }: Plan): FaultRun {
  const decider = createDecider(deciderSettings);
  const hurt = new Set<number>();
  const decisionSeconds: number[] = [];
  let isTroubled = false;
  const agent = startAgent(world, decider, (seconds) => {
    if (isTroubled) decisionSeconds.push(seconds);
  });
  for (let window = 0; window < learnWindows + troubledWindows; window++) {
    isTroubled = window >= learnWindows;
    const during = isTroubled ? { fault } : {};
    const served = serveRequests(prng, world, { requests, spanMs: busyMs, ...during });
    agent.takeWindow(served, window);
    for (const customer of served.hurt) hurt.add(customer);
  }
  agent.stop();
  return { incidents: decider.incidents(), hurt, decisionSeconds };
}

interface AgentRun {
  takeWindow(served: Served, window: number): void;
  stop(): void;
}

function startAgent(world: World, decider: Decider, decided: (seconds: number) => void): AgentRun {
  const encode = createSpanEncoder(world);
  const clock = createVirtualClock(startMs);
  const decide = ({ cube, halfEdges, halfEdgeShift, windowLengthMs }: SealedWindow): void => {
    const { windowStartMs } = cube;
    const windowEndMs = windowStartMs + windowLengthMs;
    const halves = halfEdges.map((half) => ({ ...half, shift: halfEdgeShift }));
    const times = { windowStartMs, windowEndMs };
    const window = { cube, halfEdges: halves, coverage: 1, revised: false, ...times };
    const startedMs = performance.now();
    decider.decide(window, windowEndMs);
    decided((performance.now() - startedMs) / msPerSecond);
    pipeline.setThresholds(decider.thresholds());
  };
  const pipeline = new Pipeline({
    config: { ...defaultAgentConfig(), listen: false, retrySeconds: 0, keysMax },
    clock,
    meter: createMeter(),
    hashKey: new Uint8Array(16),
    tableKey: new Uint8Array(16),
    deliver: decide,
    onTick: () => undefined,
    isAway: () => false,
  });
  const stopTicks = everySecond(clock, () => pipeline.tick());
  return {
    takeWindow({ spans }, window) {
      const windowStartMs = startMs + window * windowMs;
      clock.advance(windowStartMs + windowMs - 1 - clock.nowMs());
      const request = encode(spans, { startMs: windowStartMs, salt: window + 1 });
      const result = pipeline.ingest(request);
      if (!result.ok) throw new Error(result.error.message);
      if (result.value.accepted !== spans.length) throw new Error(result.value.message);
    },
    stop() {
      pipeline.sealAll();
      stopTicks();
    },
  };
}
