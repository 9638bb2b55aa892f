/**
 * What became of every span an agent was given. Two sums hold at any time (with several workers, as
 * of what they told last):
 *
 *   received = rejected + lost in workers + open + sealed
 *   recovered + sealed = acknowledged + spooled + declared lost
 *
 * `recovered` is what the spool held when this process began.
 */
import type { Meter } from "../base/meter.ts";
import { createDeliveryMetrics, type LossReason, lossReasons } from "./export/delivery-metrics.ts";
import { reducerMetrics, rejectionReasons, workerSpansLost } from "./reduce/reducer-metrics.ts";

export interface AgentSpans {
  readonly received: number;
  readonly rejected: number;
  /** Taken by a worker process that ended before it had handed them on. */
  readonly lostInWorkers: number;
  /** In windows that are not sealed yet. */
  readonly open: number;
  readonly sealed: number;
  readonly recovered: number;
  readonly acknowledged: number;
  /** In records that the collector has not acknowledged, on disk or in memory. */
  readonly spooled: number;
  readonly lost: Readonly<Record<LossReason, number>>;
}

export interface SpoolFigures {
  /** "" when there is none and records are in memory alone. */
  readonly directory: string;
  /** `failing`: the disk does not take writes, records are kept in memory and it is tried again. */
  readonly state: "disk" | "memory" | "failing";
  readonly records: number;
  readonly bytes: number;
  readonly segments: number;
}

export interface AgentLedger {
  readonly streamId: string;
  /** The last number this stream has used; 0 when none. */
  readonly lastSeq: number;
  /** The first number that is neither acknowledged nor declared lost to the collector. */
  readonly oldestSeq: number;
  readonly spans: AgentSpans;
  readonly spool: SpoolFigures;
  /** When the collector last answered, epoch milliseconds of this machine's clock; 0 for never. */
  readonly heardMs: number;
  readonly clock: {
    /** Collector's clock less ours, as measured; undefined before the first answer. */
    readonly offsetMs: number | undefined;
    /** How much of it is added to our clock. */
    readonly correctionMs: number;
  };
}

/** Reads the counters that make the sums; those of workers are in the same meter. */
export function readSpans(
  meter: Meter,
  held: { readonly open: number; readonly spooled: number },
): AgentSpans {
  const metrics = reducerMetrics(meter);
  const { sealed, recovered, acknowledged, lost } = createDeliveryMetrics(meter);
  return {
    received: metrics.received.value,
    rejected: rejectionReasons.reduce((sum, reason) => sum + metrics.rejected[reason].value, 0),
    lostInWorkers: workerSpansLost(meter).value,
    open: held.open,
    sealed: sealed.value,
    recovered: recovered.value,
    acknowledged: acknowledged.value,
    spooled: held.spooled,
    lost: Object.fromEntries(
      lossReasons.map((reason) => [reason, lost[reason].value]),
    ) as AgentSpans["lost"],
  };
}
