/**
 * Records and what becomes of them: spooled, sent, and acknowledged, or declared lost. Every answer
 * of the collector says what it has of the stream; that has to agree with what we know, or somebody
 * else uses the stream too.
 */
import type { OperationalError } from "../../base/errors.ts";
import type { Ack } from "../../wire/agent-link.ts";
import type { LossCause, LostRecord } from "../../wire/sketch-batch.ts";
import type { AgentSettings } from "../agent-settings.ts";
import type { AgentConfig } from "../config.ts";
import { hasNumber, type NumberSet } from "../spool/number-set.ts";
import { createQuarantine } from "../spool/quarantine.ts";
import type { RecoveredSpool } from "../spool/recover-spool.ts";
import { Spool } from "../spool/spool.ts";
import type { SpoolEntry } from "../spool/spool-entry.ts";
import { encodeSpoolHeader } from "../spool/spool-record.ts";
import { createDeliveryMetrics, type LossReason } from "./delivery-metrics.ts";
import { RecordBook } from "./record-book.ts";
import { SendQueue } from "./send-queue.ts";
import { Sender } from "./sender.ts";

export interface DeliveryOptions {
  readonly config: AgentConfig;
  readonly settings: AgentSettings;
  readonly hashKeyId: string;
  told(): { readonly watermarkMs: number; readonly thresholdsRevision: number };
  onAnswer(ack: Ack, times: { readonly sentMs: number; readonly answeredMs: number }): void;
}

interface PendingLoss {
  readonly entries: readonly SpoolEntry[];
  readonly cause: LossCause;
}

const streamIdSize = 16;
/** Losses in memory are declared together; so many at the latest. */
const pendingMax = 4_096;
const msPerHour = 3_600_000;

export class Delivery {
  readonly queue = new SendQueue();
  readonly book: RecordBook;
  readonly spool: Spool;
  readonly sender: Sender;
  readonly metrics;
  /** Until when an earlier process is known to have listened, or 0. */
  recoveredMs = 0;
  readonly #options: DeliveryOptions;
  readonly #quarantine;
  /** The stream has records of this process. */
  #isInUse = false;
  #missing: { readonly streamId: string; readonly records: readonly LostRecord[] } | undefined;
  #pending: PendingLoss[] = [];
  #pendingCount = 0;

  constructor(options: DeliveryOptions) {
    const { config, settings, hashKeyId } = options;
    const { clock, disk, log, meter, link, randomBytes } = settings;
    const { queue } = this;
    this.#options = options;
    this.metrics = createDeliveryMetrics(meter);
    this.book = new RecordBook({
      agent: config.name,
      hashKeyId,
      recordBytesMax: config.recordBytesMax,
      createStreamId: () => Buffer.from(randomBytes(streamIdSize)).toString("hex"),
      nowMs: () => clock.nowMs(),
      told: options.told,
      add: (entry) => this.#add(entry),
      onReplaced: (entry, by) => this.#replace(entry, by),
    });
    this.spool = new Spool({
      ...{ disk, clock, log, meter, queue, directory: config.spoolDir },
      limits: { bytesMax: config.spoolBytesMax, ageMsMax: config.spoolHoursMax * msPerHour },
      memoryBytesMax: config.memoryBytesMax,
      headerOf: (previous) => this.#headerOf(previous),
      onRecovered: (recovered, spans) => this.#onRecovered(recovered, spans),
      onReady: () => this.sender.pump(),
      giveUp: (entries, cause) => this.#giveUp(entries, cause),
    });
    this.#quarantine = createQuarantine(disk, config.spoolDir);
    this.sender = new Sender({
      ...{ clock, log, meter, link, queue },
      chance: () => (randomBytes(1)[0] as number) / 256,
      read: (entry) => this.spool.read(entry),
      heartbeat: () => this.book.heartbeat(),
      onRequest: (entry) => this.#onRequest(entry),
      onAcknowledged: (entry) => this.#settle(entry),
      onUnreadable: (entry) => this.#giveUp([entry], "corrupt"),
      onRefused: (entry, bytes, cause) => this.#onRefused(entry, bytes, cause),
      onForked: (entry) => this.#onForked(entry),
      rename: (entry, bytes) => this.book.rename(entry, bytes),
    });
  }

  /** To be called every second; `hasMoved` when the watermark did and no record says so. */
  tick(nowMs: number, hasMoved: boolean): void {
    const canTell = this.spool.state === "disk" || this.sender.isUp;
    if (this.#pendingCount >= pendingMax || canTell) this.#declarePending();
    this.sender.tick(nowMs, hasMoved);
    this.spool.tidy();
  }

  /** Tries for a while to bring everything home, and counts what is lost with this process. */
  async close(waitMs: number): Promise<void> {
    await this.spool.settled();
    this.#declarePending();
    await this.sender.drain(waitMs);
    this.sender.stop();
    await this.spool.close();
    const left = [...this.queue.held()].filter(({ place }) => place === undefined);
    for (const entry of left) this.queue.move(entry, "replaced");
    this.#countLost(left, "shutdown");
  }

  #add(entry: SpoolEntry): void {
    this.#isInUse = true;
    this.spool.add(entry);
  }

  #replace(entry: SpoolEntry, by: SpoolEntry): void {
    entry.replacedBy = by;
    this.queue.move(entry, "replaced");
  }

  #headerOf(previous: readonly SpoolEntry[]): Uint8Array {
    const { streamId, oldestSeq } = this.book.numbers;
    const ofStream = previous.filter(({ facts }) => facts.streamId === streamId);
    return encodeSpoolHeader({
      streamId,
      createdMs: this.#options.settings.clock.nowMs(),
      settledBelow: oldestSeq,
      previous: ofStream.map(({ facts: { seq, spans, errors, windowStartMs } }) => {
        return { seq, spans, errors, windowStartMs };
      }),
    });
  }

  #onRecovered({ stream, missing, watermarkMs }: RecoveredSpool, spans: number): void {
    const { log } = this.#options.settings;
    this.metrics.recovered.add(spans);
    this.recoveredMs = watermarkMs;
    if (stream === undefined) return;
    // A disk that came late finds the agent under a new name, and keeps it.
    if (!this.#isInUse) this.book.goOn(stream, watermarkMs);
    if (missing.length > 0) this.#missing = { streamId: stream.streamId, records: missing };
    const { records } = this.queue.totals;
    log.info("the spool was recovered", { streamId: stream.streamId, records, spans });
  }

  /** Notes the time and what is settled before a request, to understand its answer. */
  #onRequest(entry: SpoolEntry | undefined): (ack: Ack) => void {
    const { clock } = this.#options.settings;
    const { numbers } = this.book;
    const sentMs = clock.nowMs();
    const settledBefore = numbers.settled;
    const streamId = entry?.facts.streamId ?? numbers.streamId;
    return (ack) => {
      this.#resolveMissing(streamId, ack.have);
      if (streamId === this.book.numbers.streamId) this.#compare(ack.have, settledBefore);
      if (entry === undefined) this.#trim(streamId, ack.have);
      this.#options.onAnswer(ack, { sentMs, answeredMs: clock.nowMs() });
    };
  }

  #compare(have: NumberSet, settledBefore: NumberSet): void {
    const { numbers } = this.book;
    if (numbers.isContradictedBy(have, settledBefore)) this.#renew("other numbers than ours");
    else if (numbers.isBlind) {
      numbers.isBlind = false;
      numbers.settled = have;
    }
  }

  /**
   * Settles records of an earlier process that the collector has. Those of this process wait for
   * an answer of their own, which says that it was they and no other's of the same number.
   */
  #trim(streamId: string, have: NumberSet): void {
    for (const entry of this.queue.held()) {
      const { facts, isRecovered, state } = entry;
      if (!isRecovered || facts.isBlind || state !== "waiting") continue;
      if (facts.streamId !== streamId || !hasNumber(have, facts.seq)) continue;
      this.queue.move(entry, "settled");
      this.#settle(entry);
    }
  }

  #resolveMissing(streamId: string, have: NumberSet): void {
    const missing = this.#missing;
    if (missing?.streamId !== streamId) return;
    this.#missing = undefined;
    const lost = missing.records.filter(({ seq }) => !hasNumber(have, seq));
    if (lost.length === 0) return;
    const spans = lost.reduce((sum, record) => sum + record.spans, 0);
    this.metrics.recovered.add(spans);
    this.metrics.lost.corrupt.add(spans);
    this.metrics.recordsLost.corrupt.add(lost.length);
    const { log } = this.#options.settings;
    log.error("records of the spool are damaged, they are declared lost", {
      records: lost.length,
      spans,
    });
    this.book.declareMissing(streamId, lost, "corrupt");
  }

  #settle({ facts, lost }: SpoolEntry): void {
    this.metrics.acknowledged.add(facts.spans);
    const { numbers } = this.book;
    if (facts.streamId !== numbers.streamId) return;
    numbers.settle(facts.seq);
    for (const { seq } of lost) numbers.settle(seq);
  }

  #onRefused(entry: SpoolEntry, bytes: Uint8Array, { code, message }: OperationalError): void {
    const { seq, spans } = entry.facts;
    const { log } = this.#options.settings;
    log.error("the collector refuses a record, it is declared lost", { code, message, seq, spans });
    void this.#quarantine.add(bytes);
    this.#giveUp([entry], "refused");
  }

  #onForked(entry: SpoolEntry): void {
    entry.isForked = true;
    if (entry.facts.streamId === this.book.numbers.streamId) this.#renew("another record of ours");
  }

  #renew(why: string): void {
    const before = this.book.numbers.streamId;
    this.book.renew();
    this.metrics.forked.add();
    const { log } = this.#options.settings;
    const streamId = this.book.numbers.streamId;
    log.warn("the collector knows our stream otherwise, a new one begins", {
      why,
      before,
      streamId,
    });
  }

  #giveUp(entries: readonly SpoolEntry[], cause: LossCause): void {
    this.#countLost(entries, cause);
    for (const entry of entries) this.queue.move(entry, "replaced");
    this.#pending.push({ entries, cause });
    this.#pendingCount += entries.length;
    if (this.spool.state === "disk") this.#declarePending();
  }

  #declarePending(): void {
    const causes = new Set(this.#pending.map(({ cause }) => cause));
    const pending = this.#pending;
    this.#pending = [];
    this.#pendingCount = 0;
    for (const cause of causes) {
      const same = pending.filter((loss) => loss.cause === cause);
      const entries = same.flatMap((loss) => loss.entries);
      this.book.declare(entries, cause);
    }
  }

  #countLost(entries: readonly SpoolEntry[], reason: LossReason): void {
    if (entries.length === 0) return;
    const spans = entries.reduce((sum, { facts }) => sum + facts.spans, 0);
    this.metrics.recordsLost[reason].add(entries.length);
    this.metrics.lost[reason].add(spans);
    const { log } = this.#options.settings;
    log.warn("records are lost", { reason, records: entries.length, spans });
  }
}
