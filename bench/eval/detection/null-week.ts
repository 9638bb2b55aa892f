/**
 * How often a week in which nothing is wrong wakes somebody, and how many of what is called with
 * faults in between is false.
 *
 * A week of 60,480 windows of 100,000 keys is too long to play. Errors and slowness are played in
 * stretches spread evenly over the week, whose learnt state goes on from one to the next as if they
 * followed each other; the first windows of each are not judged. Traffic is played for the whole
 * week, as it has a row for each service, operation and far side alone.
 */

import {
  createDeciderState,
  type DeciderState,
  decideRolled,
} from "../../../collector/stages/decider.ts";
import { badSignals, rowOf, serviceOf, subjectOf } from "../../../collector/stages/row-book.ts";
import { learnServiceGraph } from "../../../dependency-graph/service-graph.ts";
import { deciderSettings } from "../configuration.ts";
import {
  createNullTraffic,
  deploy,
  drawWindow,
  type Fault,
  type NullTraffic,
  services,
} from "./null-traffic.ts";
import { createSigmaRule, judgeSigma } from "./sigma-rule.ts";

export const windowMs = 10_000;
export const windowsOfWeek = 60_480;
const weekStartMs = 1_799_971_200_000;
const firstWindows = 26;
const stretches = 14;
const warmWindows = 4;
const judgedWindows = 12;
const deploysEach = 10;
const leapWindows = 600;

export interface NullRun {
  readonly windows: number;
  /** Incidents opened, and those of them that page. */
  readonly incidents: number;
  readonly pages: number;
  /** Windows in which any row was called. */
  readonly windowsCalled: number;
  readonly sigmaCalls: number;
  readonly seconds: number;
}

export function playNullWeek(seed: number): NullRun {
  const began = performance.now();
  const traffic = createNullTraffic(seed);
  const state = createDeciderState();
  const rule = createSigmaRule(2 * 400_000);
  const run = { windows: 0, incidents: 0, pages: 0, windowsCalled: 0, sigmaCalls: 0 };
  for (let stretch = 0; stretch < stretches; stretch++) {
    // Another time of the day each time.
    const at = Math.floor((stretch * windowsOfWeek) / stretches) + stretch * leapWindows;
    const warm = stretch === 0 ? firstWindows : warmWindows;
    for (let service = 0; stretch > 0 && service < deploysEach; service++) {
      deploy(traffic, (stretch * deploysEach + service) % services);
    }
    for (let window = 0; window < warm + judgedWindows; window++) {
      const timeMs = weekStartMs + (at + window) * windowMs;
      const { events, anomalies, sigmaCalls } = playWindow(state, traffic, { timeMs, rule });
      if (window < warm) continue;
      run.windows += 1;
      if (anomalies > 0) run.windowsCalled += 1;
      run.sigmaCalls += sigmaCalls;
      const opened = events.filter(({ type }) => type === "incident.opened");
      run.incidents += opened.length;
      run.pages += opened.filter(({ incident }) => incident.page).length;
    }
  }
  return { ...run, seconds: (performance.now() - began) / 1_000 };
}

function playWindow(
  state: DeciderState,
  traffic: NullTraffic,
  at: {
    readonly timeMs: number;
    readonly fault?: Fault;
    readonly rule?: ReturnType<typeof createSigmaRule>;
  },
) {
  const { registry } = state;
  const rolled = drawWindow(traffic, registry.rows, at);
  const names = Array.from({ length: services }, (_, service) => `service-${service}`);
  learnServiceGraph(registry.graph, { services: names, calls: [], answered: [] }, at.timeMs);
  // Traffic follows the time of day, which leaps from stretch to stretch; it is played by itself.
  registry.traffic.clear();
  const decision = decideRolled(
    state,
    {
      ...{ rolled, gaps: new Map(), coverage: 1, revised: false },
      dimensions: ["service.name", "operation", "span.kind", "peer", "version", "", "shard"],
      ...{ windowStartMs: at.timeMs, windowEndMs: at.timeMs + windowMs },
    },
    { ...deciderSettings, nowMs: at.timeMs + windowMs },
  );
  let sigmaCalls = 0;
  if (at.rule !== undefined) {
    for (const { subject } of traffic.keys) {
      const row = rowOf(subject, 0);
      const count = rolled.count[row] as number;
      if (count > 0 && judgeSigma(at.rule, row, (rolled.bad[row] as number) / count)) {
        sigmaCalls += 1;
      }
    }
  }
  return { ...decision, sigmaCalls };
}

export interface FaultRun {
  readonly faults: number;
  /** Faults whose service an incident named. */
  readonly found: number;
  readonly windowsToFind: readonly number[];
  readonly incidents: number;
  readonly falseIncidents: number;
  /** Rows called, and those of them of services in which nothing was wrong. */
  readonly called: number;
  readonly falselyCalled: number;
}

const faults = 8;
const faultWindows = 4;
const healthyWindows = 3;
/** The fault meets so many of a service's combinations, and fails this share of their spans. */
const faultCombinations = 20;
const faultRate = 0.2;

/** One fault after another, each in a service of its own. */
export function playFaults(seed: number): FaultRun {
  const traffic = createNullTraffic(seed);
  const state = createDeciderState();
  const run = { faults, found: 0, incidents: 0, falseIncidents: 0, called: 0, falselyCalled: 0 };
  const windowsToFind: number[] = [];
  let timeMs = weekStartMs;
  const play = (fault?: Fault) => {
    const decision = playWindow(state, traffic, {
      timeMs,
      ...(fault === undefined ? {} : { fault }),
    });
    timeMs += windowMs;
    return decision;
  };
  for (let window = 0; window < firstWindows; window++) play();
  for (let one = 0; one < faults; one++) {
    const service = (one * 37 + 5) % services;
    const fault: Fault = (key) =>
      key.service === service && key.combination < faultCombinations ? faultRate : 0;
    let foundAfter: number | undefined;
    for (let window = 0; window < faultWindows + healthyWindows; window++) {
      const isBad = window < faultWindows;
      const { events } = play(isBad ? fault : undefined);
      const truth = `service-${service}`;
      for (const { type, incident } of events) {
        if (type !== "incident.opened") continue;
        run.incidents += 1;
        if (incident.cause.name === truth) foundAfter ??= window + 1;
        else run.falseIncidents += 1;
      }
      for (const row of state.ring.detections.at(-1)?.anomalous ?? []) {
        run.called += 1;
        const isTrue =
          isBad &&
          badSignals[row % badSignals.length] === "errors" &&
          serviceOf(state.registry.rows, subjectOf(row)) === truth;
        if (!isTrue) run.falselyCalled += 1;
      }
    }
    if (foundAfter === undefined) continue;
    run.found += 1;
    windowsToFind.push(foundAfter);
  }
  return { ...run, windowsToFind };
}
