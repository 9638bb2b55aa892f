/**
 * Metrics of the host this agent is on, once a window, put beside those of the services that run on
 * it: a host's own metrics would say that something moved, but not whom it hurts.
 *
 * A service runs here when spans of it in this window carry a resource whose `host.name` or
 * `k8s.node.name` is this host's. Of spans that do not tell, or tell of another host, as a gateway's
 * do, nothing is claimed. The key of such a cell has the host in place of a far side, so that hosts
 * of one service stay apart.
 *
 * Rates are over the time between two readings, which are a window apart. A reading belongs to the
 * window that has just ended, and is kept until that is sealed.
 */
import type { Meter } from "../../base/meter.ts";
import { metricKind, noKey } from "../../sketch/key.ts";
import type { Segment } from "../windows/segment.ts";
import { windowLengthMs, windowStartOf } from "../windows/windows.ts";
import { type HostCounters, type ReadProc, readHostCounters } from "./host-counters.ts";

export interface HostMetricsOptions {
  readonly read: ReadProc;
  readonly hostName: string;
  readonly dimensions: readonly string[];
  readonly meter: Meter;
}

interface HostValue {
  readonly metric: string;
  readonly value: number;
}

/** A window is sealed five seconds after its end. */
const windowsKept = 3;
/** After a sleep of the machine, or a change of its clock, a rate says nothing. */
const intervalMsMax = 3 * windowLengthMs;
const msPerSecond = 1_000;

export class HostMetrics {
  readonly #options: HostMetricsOptions;
  readonly #values = new Map<number, readonly HostValue[]>();
  readonly #dropped;
  #last: { readonly counters: HostCounters; readonly atMs: number } | undefined;

  constructor(options: HostMetricsOptions) {
    this.#options = options;
    this.#dropped = options.meter.counter(
      "brunt_agent_host_metrics_dropped_total",
      "Metrics of the host that found no room in a window.",
    );
  }

  /** Reads when a window has ended since it last did; to be called every second. */
  tick(nowMs: number): void {
    const last = this.#last;
    if (last !== undefined && windowStartOf(nowMs) === windowStartOf(last.atMs)) return;
    const counters = readHostCounters(this.#options.read);
    this.#last = { counters, atMs: nowMs };
    if (last === undefined) return;
    const ms = nowMs - last.atMs;
    if (ms <= 0 || ms > intervalMsMax) return;
    const seconds = ms / msPerSecond;
    this.#values.set(
      windowStartOf(nowMs) - windowLengthMs,
      valuesOf(counters, last.counters, seconds),
    );
    for (const startMs of this.#values.keys()) {
      if (this.#values.size <= windowsKept) break;
      this.#values.delete(startMs);
    }
  }

  /** Adds the values of a window about to be sealed, once for each service that runs here. */
  addTo(segment: Segment): void {
    const values = this.#values.get(segment.windowStartMs);
    if (values === undefined || segment.localServices.size === 0) return;
    // What comes late of the same window is a delta: it has been told already.
    this.#values.delete(segment.windowStartMs);
    for (const service of segment.localServices) {
      for (const { metric, value } of values) this.#add(segment, service, metric, value);
    }
  }

  #add(segment: Segment, service: string, metric: string, value: number): void {
    const { hostName, dimensions } = this.#options;
    const key = [service, metric, metricKind, hostName, "", "", "", ...dimensions.map(() => "")];
    const id = segment.admission.admitMetric(key);
    const { cells } = segment.cube;
    if (id === noKey || !cells.addValue(cells.rowFor(id), value, 1)) this.#dropped.add();
  }
}

function valuesOf(now: HostCounters, before: HostCounters, seconds: number): HostValue[] {
  const values: HostValue[] = [];
  for (const [metric, value] of now.levels) values.push({ metric, value });
  if (now.cpu !== undefined && before.cpu !== undefined) {
    const total = now.cpu.total - before.cpu.total;
    const value = (now.cpu.busy - before.cpu.busy) / total;
    if (total > 0 && value >= 0) values.push({ metric: "system.cpu.utilization", value });
  }
  for (const [name, { metric, value, unit }] of now.counters) {
    const grown = value - (before.counters.get(name)?.value ?? Number.NaN);
    // A disk or an interface that is gone takes its count with it.
    if (grown >= 0) values.push({ metric, value: grown / unit / seconds });
  }
  return values;
}
