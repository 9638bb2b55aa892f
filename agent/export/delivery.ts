/** Records and what becomes of them: spooled, sent, and acknowledged, or declared lost. */
import type { OperationalError } from "../../base/errors.ts";
import type { Ack } from "../../wire/agent-link.ts";
import type { LossCause } from "../../wire/sketch-batch.ts";
import type { AgentSettings } from "../agent-settings.ts";
import type { AgentConfig } from "../config.ts";
import { createQuarantine } from "../spool/quarantine.ts";
import type { RecoveredSpool } from "../spool/recover-spool.ts";
import { Spool } from "../spool/spool.ts";
import type { SpoolEntry } from "../spool/spool-entry.ts";
import { createDeliveryMetrics, type LossReason } from "./delivery-metrics.ts";
import { RecordBook } from "./record-book.ts";
import { SendQueue } from "./send-queue.ts";
import { Sender } from "./sender.ts";
import { StreamKeeper } from "./stream-keeper.ts";

export interface DeliveryOptions {
  readonly config: AgentConfig;
  readonly settings: AgentSettings;
  readonly hashKeyId: string;
  told(): { readonly watermarkMs: number; readonly thresholdsRevision: number };
  /** An earlier process is known to have listened until then. */
  onRecovered(listenedMs: number): void;
  onAnswer(ack: Ack, times: { readonly sentMs: number; readonly answeredMs: number }): void;
}

interface PendingLoss {
  readonly entries: readonly SpoolEntry[];
  readonly cause: LossCause;
}

const streamIdSize = 16;
const questionSize = 4;
/** Losses in memory are declared together; so many at the latest. */
const pendingMax = 4_096;
const msPerHour = 3_600_000;

export class Delivery {
  readonly queue = new SendQueue();
  readonly book: RecordBook;
  readonly spool: Spool;
  readonly sender: Sender;
  readonly metrics;
  readonly #options: DeliveryOptions;
  readonly #keeper: StreamKeeper;
  readonly #quarantine;
  /** The stream has records of this process. */
  #isInUse = false;
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
      createQuestion: () => Buffer.from(randomBytes(questionSize)).readUInt32BE(),
      nowMs: () => clock.nowMs(),
      told: options.told,
      add: (entry) => this.#add(entry),
      onReplaced: (entry, by) => this.#replace(entry, by),
      onNeedless: (entry) => queue.move(entry, "settled"),
    });
    this.#keeper = new StreamKeeper({
      ...{ book: this.book, queue, metrics: this.metrics, log },
      nowMs: () => clock.nowMs(),
      note: (payload) => this.spool.note(payload),
      onReady: () => this.sender.pump(),
    });
    this.spool = new Spool({
      ...{ disk, clock, log, meter, queue, directory: config.spoolDir },
      limits: { bytesMax: config.spoolBytesMax, ageMsMax: config.spoolHoursMax * msPerHour },
      memoryBytesMax: config.memoryBytesMax,
      headerOf: (previous) => this.#keeper.headerOf(previous),
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
      waitsForAnswer: () => this.#keeper.hasBlind,
      onRequest: (entry) => this.#onRequest(entry),
      onAcknowledged: (entry) => this.#keeper.settle(entry),
      onUnreadable: (entry) => this.#giveUp([entry], "corrupt"),
      onRefused: (entry, bytes, cause) => this.#onRefused(entry, bytes, cause),
      onForked: (entry) => this.#keeper.fork(entry),
      rename: (entry, bytes) => this.book.rename(entry, bytes),
    });
  }

  /** To be called every second; `hasMoved` when the watermark did and no record says so. */
  tick(nowMs: number, hasMoved: boolean): void {
    const canTell = this.spool.state === "disk" || this.sender.isUp;
    if (this.#pendingCount >= pendingMax || canTell) this.#declarePending();
    this.#keeper.tick();
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
    this.#keeper.onAdded(entry);
    this.spool.add(entry);
  }

  #replace(entry: SpoolEntry, by: SpoolEntry): void {
    entry.replacedBy = by;
    this.queue.move(entry, "replaced");
  }

  #onRecovered(recovered: RecoveredSpool, spans: number): void {
    this.metrics.recovered.add(spans);
    // A disk that came late finds the agent under a new name, and keeps it.
    this.#keeper.goOn(recovered, this.#isInUse);
    if (recovered.watermarkMs > 0) this.#options.onRecovered(recovered.watermarkMs);
  }

  #onRequest(entry: SpoolEntry | undefined): (ack: Ack) => void {
    const { clock } = this.#options.settings;
    const sentMs = clock.nowMs();
    const onAnswer = this.#keeper.onRequest(entry);
    return (ack) => {
      onAnswer(ack);
      this.#options.onAnswer(ack, { sentMs, answeredMs: clock.nowMs() });
    };
  }

  #onRefused(entry: SpoolEntry, bytes: Uint8Array, { code, message }: OperationalError): void {
    const { seq, spans } = entry.facts;
    const { log } = this.#options.settings;
    log.error("the collector refuses a record, it is declared lost", { code, message, seq, spans });
    void this.#quarantine.add(bytes);
    this.#giveUp([entry], "refused");
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
