/**
 * An agent's way out: sealed windows in, records out. It knows who the agent is to the collector,
 * what time the collector has, and in which order an agent begins and ends.
 */
import type { Clock } from "../base/clock.ts";
import type { Ack, Thresholds } from "../wire/agent-link.ts";
import type { AgentSettings } from "./agent-settings.ts";
import type { AgentConfig } from "./config.ts";
import { type ClockOffset, createClockOffset } from "./export/clock-offset.ts";
import { Delivery } from "./export/delivery.ts";
import { createThresholdReader } from "./export/threshold-reader.ts";
import { hashKeyIdOf, hashKeySize, readHashKey } from "./hash-key.ts";
import { type AgentLedger, readSpans } from "./ledger.ts";
import { encodeSpoolMark } from "./spool/spool-record.ts";
import type { SealedWindow } from "./windows/sealed-window.ts";
import { watermarkAt } from "./windows/windows.ts";

export interface OutletOptions {
  readonly config: AgentConfig;
  readonly settings: AgentSettings;
  onThresholds(thresholds: Thresholds): void;
  /** From now on so much is added to our clock. */
  onCorrection(correctionMs: number): void;
}

/** How far windows are delivered, and the newest thresholds. */
export interface Told {
  readonly watermarkMs: number;
  readonly thresholdsRevision: number;
}

/** A start does not wait longer for a collector that is away. */
const helloMsMax = 1_000;
/** What is sent at the end, before the rest is left to the spool. */
const drainMsMax = 8_000;
/** From then on the spool is made to last. */
const awayMsMin = 600_000;
/** How much of an idle time a killed agent takes for a gap. */
const markMs = 60_000;

export class Outlet {
  /** Our clock, corrected. */
  readonly clock: Clock;
  /** 16 bytes customers are hashed with. */
  readonly hashKey: Uint8Array;
  readonly #options: OutletOptions;
  readonly #delivery: Delivery;
  readonly #offset: ClockOffset = createClockOffset();
  readonly #learnThresholds;
  #told: Told;
  /** The newest watermark that was said in a record or a heartbeat. */
  #saidMs: number;
  #markedMs: number;
  #isSpoolFailing = false;
  #opening: Promise<void> | undefined;
  #isNumbered = false;
  /** Windows sealed before the stream was known; a second's worth. */
  #early: SealedWindow[] = [];
  #isTooLarge = false;
  /** Until when an earlier process is known to have listened, or 0; since when this one does. */
  #recoveredMs = 0;
  #listeningMs = 0;

  /** @throws OperationalError CONFIG_INVALID when the hash key's file cannot be used */
  constructor(options: OutletOptions) {
    const { config, settings, onThresholds } = options;
    const { clock, log, link } = settings;
    const nowMs = clock.nowMs();
    this.#options = options;
    this.hashKey = readHashKey(config.hashKey) ?? makeHashKey(settings);
    this.#told = { watermarkMs: watermarkAt(nowMs), thresholdsRevision: 0 };
    this.#saidMs = this.#told.watermarkMs;
    this.#markedMs = nowMs;
    this.clock = {
      nowMs: () => clock.nowMs() + this.#offset.correctionMs,
      after: (delayMs, run) => clock.after(delayMs, run),
    };
    this.#delivery = new Delivery({
      ...{ config, settings },
      hashKeyId: hashKeyIdOf(this.hashKey),
      told: () => this.#told,
      onRecovered: (listenedMs) => this.#onRecovered(listenedMs),
      onAnswer: (ack, times) => this.#onAnswer(ack, times),
    });
    const failures = this.#delivery.metrics.thresholdFailures;
    this.#learnThresholds = createThresholdReader({ link, log, failures, onThresholds });
    this.#registerGauges();
  }

  get streamId(): string {
    return this.#delivery.book.numbers.streamId;
  }

  /**
   * Recovers the spool and greets the collector, so that the next number is known; not for long.
   *
   * @throws OperationalError STORE_LOCKED
   */
  open(): Promise<void> {
    this.#opening ??= this.#open();
    return this.#opening;
  }

  deliver(window: SealedWindow): void {
    this.#delivery.metrics.sealed.add(window.counts.spans);
    this.#saidMs = Math.max(this.#saidMs, window.watermarkMs);
    this.#markedMs = this.#options.settings.clock.nowMs();
    if (this.#isNumbered) this.#delivery.book.seal(window);
    else this.#early.push(window);
  }

  /** To be called every second. */
  tick(told: Told): void {
    const hasMoved = told.watermarkMs > this.#saidMs;
    this.#told = told;
    this.#saidMs = Math.max(this.#saidMs, told.watermarkMs);
    if (!this.#isNumbered) return;
    const nowMs = this.#options.settings.clock.nowMs();
    this.#delivery.tick(nowMs, hasMoved);
    const isDue = nowMs >= this.#markedMs + markMs || nowMs < this.#markedMs;
    const wasFailing = this.#isSpoolFailing;
    this.#isSpoolFailing = this.#delivery.spool.state === "failing";
    // What was delivered from memory meanwhile is on no disk to say that we were listening.
    if (isDue || (wasFailing && !this.#isSpoolFailing)) this.#mark(nowMs);
  }

  /** Whether the collector has taken nothing for so long that bytes are to be saved. */
  isAway(): boolean {
    const nowMs = this.#options.settings.clock.nowMs();
    return this.#delivery.sender.awayMs(nowMs) >= awayMsMin;
  }

  /** Why records are less safe than they should be; undefined when they are not. */
  degraded(): string | undefined {
    const isFailing = this.#delivery.spool.state === "failing";
    return isFailing ? "the spool's disk refuses, records are kept in memory" : undefined;
  }

  /** Resolves once every record so far was acknowledged, declared lost, or failed once more. */
  async flush(): Promise<void> {
    await this.#opening;
    await this.#delivery.sender.drain();
  }

  /** Makes everything durable, sends for a while, and counts what is lost with this process. */
  async close(): Promise<void> {
    if (this.#early.length > 0) this.#opening ??= this.#open();
    await this.#opening?.catch(() => {});
    if (this.#isNumbered) this.#mark(this.#options.settings.clock.nowMs());
    await this.#delivery.close(drainMsMax);
  }

  /** `open` spans are in windows that are not delivered yet. */
  ledger(open: number): AgentLedger {
    const { config, settings } = this.#options;
    const { book, queue, spool, sender } = this.#delivery;
    const { streamId, lastSeq, oldestSeq } = book.numbers;
    const { records, spans, bytes } = queue.totals;
    const early = this.#early.reduce((sum, { counts }) => sum + counts.spans, 0);
    const { measuredMs: offsetMs, correctionMs } = this.#offset;
    return {
      ...{ streamId, lastSeq, oldestSeq },
      spans: readSpans(settings.meter, { open, spooled: spans + early }),
      spool: {
        directory: config.spoolDir,
        state: spool.state,
        ...{ records, bytes, segments: spool.segments },
      },
      heardMs: sender.heardMs,
      clock: { offsetMs, correctionMs },
    };
  }

  async #open(): Promise<void> {
    const { spool, sender, book } = this.#delivery;
    await spool.open();
    await sender.hello(helloMsMax);
    this.#listeningMs = this.clock.nowMs();
    this.#isNumbered = true;
    this.#declareGap();
    for (const window of this.#early) book.seal(window);
    this.#early = [];
    sender.pump();
  }

  /** Sooner or later: a disk may refuse to be read for a while. */
  #onRecovered(listenedMs: number): void {
    this.#recoveredMs = listenedMs;
    if (this.#isNumbered) this.#declareGap();
  }

  #declareGap(): void {
    const { book } = this.#delivery;
    const isGap = this.#recoveredMs > 0 && this.#recoveredMs < this.#listeningMs;
    if (isGap) book.gap(this.#recoveredMs, this.#listeningMs);
  }

  #mark(nowMs: number): void {
    this.#markedMs = nowMs;
    void this.#delivery.spool.note(encodeSpoolMark(this.#told.watermarkMs));
  }

  #onAnswer(ack: Ack, times: { readonly sentMs: number; readonly answeredMs: number }): void {
    const { log } = this.#options.settings;
    const isTimed = ack.isUntimed !== true;
    if (isTimed && this.#offset.add({ ...times, collectorMs: ack.collectorTimeMs })) {
      const { correctionMs } = this.#offset;
      log.warn("our clock differs from the collector's, times are corrected", { correctionMs });
      this.#options.onCorrection(correctionMs);
    }
    if (this.#offset.isTooLarge !== this.#isTooLarge) {
      this.#isTooLarge = this.#offset.isTooLarge;
      const offsetMs = this.#offset.measuredMs ?? 0;
      if (this.#isTooLarge) {
        log.error("our clock is too far from the collector's to be corrected", { offsetMs });
      }
    }
    void this.#learnThresholds(ack.thresholdsRevision);
  }

  #registerGauges(): void {
    const { meter } = this.#options.settings;
    const { queue, spool } = this.#delivery;
    const gauges: readonly [name: string, help: string, read: () => number][] = [
      ["spool_records", "Records not acknowledged yet.", () => queue.totals.records],
      ["spool_bytes", "Bytes of records not acknowledged yet.", () => queue.totals.bytes],
      ["spool_spans", "Spans of records not acknowledged yet.", () => queue.totals.spans],
      ["spool_segments", "Files of the spool.", () => spool.segments],
      ["spool_file_bytes", "Bytes of these files.", () => spool.bytes],
      [
        "spool_failing",
        "1 while the spool's disk refuses.",
        () => Number(spool.state === "failing"),
      ],
      [
        "clock_offset_seconds",
        "The collector's clock less ours, as measured.",
        () => (this.#offset.measuredMs ?? 0) / 1_000,
      ],
      [
        "clock_correction_seconds",
        "How much is added to our clock.",
        () => this.#offset.correctionMs / 1_000,
      ],
    ];
    for (const [name, help, read] of gauges) meter.gauge(`brunt_agent_${name}`, help, read);
  }
}

function makeHashKey({ log, randomBytes }: AgentSettings): Uint8Array {
  log.warn(
    "no hash key is configured, one was made for this run; customers of several agents, or of " +
      "this one after a restart, cannot be counted together; set hashKey",
  );
  return randomBytes(hashKeySize);
}
