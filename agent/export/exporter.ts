/**
 * Sends batches to the collector: in order, one at a time, kept until acknowledged. What the
 * collector refuses for good is dropped and counted; whatever else fails is tried again after a
 * growing, jittered pause. When an acknowledgement names thresholds that are not ours yet, they are
 * fetched.
 */
import type { Cancel, Clock } from "../../base/clock.ts";
import { OperationalError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { Meter } from "../../base/meter.ts";
import type { Ack, CollectorLink, Thresholds } from "../../wire/agent-link.ts";
import { createBatchQueue, type QueuedBatch } from "./batch-queue.ts";

export interface ExporterSettings {
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: Meter;
  readonly link: CollectorLink;
  readonly queueBatchesMax: number;
  readonly queueBytesMax: number;
  /** Uniform in [0, 1), for the jitter of pauses. */
  chance(): number;
  onThresholds(thresholds: Thresholds): void;
}

export interface Exporter {
  /** Nothing waits and nothing is on its way. */
  readonly idle: boolean;
  add(batch: QueuedBatch): void;
  /** Resolves once everything added was sent, refused, or failed once more. */
  flush(): Promise<void>;
  /** Flushes, then drops what is left, with its counts. */
  shutdown(): Promise<void>;
}

const pauseMsMin = 500;
const pauseMsMax = 30_000;

/** The pause after this many failures in a row: full jitter over a doubling bound. */
function pauseMs(failures: number, chance: number): number {
  const bound = Math.min(pauseMsMax, pauseMsMin * 2 ** (failures - 1));
  return Math.ceil(bound * chance);
}

export function createExporter(settings: ExporterSettings): Exporter {
  return new QueueExporter(settings);
}

class QueueExporter implements Exporter {
  readonly #settings: ExporterSettings;
  readonly #queue;
  readonly #metrics;
  #sending: Promise<void> | undefined;
  #cancelPause: Cancel | undefined;
  #failures = 0;
  #thresholdsRevision = 0;
  #open = true;

  constructor(settings: ExporterSettings) {
    this.#settings = settings;
    this.#queue = createBatchQueue({
      countMax: settings.queueBatchesMax,
      bytesMax: settings.queueBytesMax,
    });
    this.#metrics = exporterMetrics(settings.meter);
    const { meter } = settings;
    meter.gauge("brunt_agent_queue_batches", "Batches waiting.", () => this.#queue.count);
    meter.gauge("brunt_agent_queue_bytes", "Bytes of batches waiting.", () => this.#queue.size);
  }

  get idle(): boolean {
    return this.#queue.count === 0 && this.#sending === undefined;
  }

  add(batch: QueuedBatch): void {
    if (!this.#open) {
      this.#lose(batch, "shutdown");
      return;
    }
    for (const dropped of this.#queue.add(batch)) this.#lose(dropped, "queue_full");
    if (this.#cancelPause === undefined) this.#send();
  }

  async flush(): Promise<void> {
    this.#cancelPause?.();
    this.#cancelPause = undefined;
    this.#send();
    await this.#sending;
  }

  async shutdown(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    await this.flush();
    this.#cancelPause?.();
    this.#cancelPause = undefined;
    let batch = this.#queue.first();
    for (; batch !== undefined; batch = this.#queue.first()) {
      this.#queue.remove(batch);
      this.#lose(batch, "shutdown");
    }
  }

  #send(): void {
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = undefined;
    });
  }

  /** Sends until nothing waits or a send fails. */
  async #sendAll(): Promise<void> {
    let batch = this.#queue.first();
    for (; batch !== undefined; batch = this.#queue.first()) {
      try {
        const ack = await this.#settings.link.send(batch.bytes);
        this.#metrics.sent.add();
        this.#failures = 0;
        this.#queue.remove(batch);
        await this.#learnThresholds(ack);
      } catch (cause) {
        if (this.#isRetryable(cause)) {
          this.#pause(cause);
          return;
        }
        this.#queue.remove(batch);
        this.#lose(batch, "refused", cause);
      }
    }
  }

  #isRetryable(cause: unknown): boolean {
    return cause instanceof OperationalError && cause.retryable;
  }

  #pause(cause: unknown): void {
    this.#failures++;
    this.#metrics.retried.add();
    const { clock, log, chance } = this.#settings;
    const delayMs = pauseMs(this.#failures, chance());
    if (this.#failures === 1) {
      log.warn("the collector does not take batches, they wait", { reason: messageOf(cause) });
    }
    if (!this.#open) return;
    this.#cancelPause = clock.after(delayMs, () => {
      this.#cancelPause = undefined;
      this.#send();
    });
  }

  async #learnThresholds(ack: Ack): Promise<void> {
    if (ack.thresholdsRevision === this.#thresholdsRevision) return;
    try {
      const thresholds = await this.#settings.link.thresholds();
      this.#thresholdsRevision = thresholds.revision;
      this.#settings.onThresholds(thresholds);
    } catch (cause) {
      // The next acknowledgement asks again; until then the known thresholds stay in force.
      this.#metrics.thresholdFailures.add();
      this.#settings.log.warn("thresholds cannot be read", { reason: messageOf(cause) });
    }
  }

  #lose(batch: QueuedBatch, reason: LossReason, cause?: unknown): void {
    this.#metrics.dropped[reason].add();
    this.#metrics.spansLost[reason].add(batch.spans);
    this.#settings.log.warn("a batch is lost", {
      reason,
      spans: batch.spans,
      ...(cause === undefined ? {} : { cause: messageOf(cause) }),
    });
  }
}

type LossReason = "queue_full" | "refused" | "shutdown";

function exporterMetrics(meter: Meter) {
  const byReason = (name: string, help: string) => ({
    queue_full: meter.counter(name, help, { reason: "queue_full" }),
    refused: meter.counter(name, help, { reason: "refused" }),
    shutdown: meter.counter(name, help, { reason: "shutdown" }),
  });
  return {
    sent: meter.counter("brunt_agent_batches_sent_total", "Batches acknowledged."),
    retried: meter.counter("brunt_agent_batches_retried_total", "Sends that failed and wait."),
    dropped: byReason("brunt_agent_batches_dropped_total", "Batches lost, by reason."),
    spansLost: byReason("brunt_agent_spans_lost_total", "Spans of lost batches, by reason."),
    thresholdFailures: meter.counter(
      "brunt_agent_thresholds_failed_total",
      "Failed reads of thresholds.",
    ),
  };
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
