/**
 * Brings records to the collector: at most four at a time, one half of them the newest that wait,
 * the other the oldest. A record is kept until its own acknowledgement says that the collector has
 * it. When something is not taken, everything waits and one heartbeat at a time asks whether to go
 * on, after growing, jittered pauses.
 */
import type { Cancel, Clock } from "../../base/clock.ts";
import { OperationalError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { Meter } from "../../base/meter.ts";
import { type Ack, type CollectorLink, remedyOf } from "../../wire/agent-link.ts";
import { hasNumber } from "../spool/number-set.ts";
import type { SpoolEntry } from "../spool/spool-entry.ts";
import { pauseMs } from "./back-off.ts";
import { Conditions } from "./conditions.ts";
import type { SendOrder, SendQueue } from "./send-queue.ts";
import { createSenderMetrics } from "./sender-metrics.ts";

export interface SenderOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: Meter;
  readonly link: CollectorLink;
  readonly queue: SendQueue;
  /** Uniform in [0, 1), for the jitter of pauses. */
  chance(): number;
  /** The bytes of a record; undefined when it cannot be read any more. */
  read(entry: SpoolEntry): Promise<Uint8Array | undefined>;
  heartbeat(): Uint8Array;
  /** There are records that may go only once a heartbeat is answered. */
  waitsForAnswer(): boolean;
  /** Called before a request, a heartbeat without an entry; what it gives takes the answer. */
  onRequest(entry: SpoolEntry | undefined): (ack: Ack) => void;
  onAcknowledged(entry: SpoolEntry): void;
  onUnreadable(entry: SpoolEntry): void;
  /** The record will never be taken. */
  onRefused(entry: SpoolEntry, bytes: Uint8Array, cause: OperationalError): void;
  onForked(entry: SpoolEntry): void;
  /** Gives a record of a forked stream a new name; false when it is to be sent as it is. */
  rename(entry: SpoolEntry, bytes: Uint8Array): boolean;
}

const inFlightMax = 4;
const backfillMax = 2;
const heartbeatMs = 5_000;
/** A connection on which nothing comes back is given up. */
const answerMsMax = 15_000;
/** A heartbeat is small, and the one after it goes by a new connection. */
const heartbeatAnswerMsMax = 4_000;
const unreached = { code: "COLLECTOR_UNREACHABLE", retryAfterMs: undefined } as const;
/** A record that fails so often, although heartbeats pass, lets others go first. */
const failuresPutOff = 3;

export class Sender {
  readonly #options: SenderOptions;
  readonly #metrics: ReturnType<typeof createSenderMetrics>;
  readonly #conditions: Conditions;
  #isUp = true;
  #isStopped = false;
  #isBeating = false;
  #oldestFirst = false;
  #backfill = 0;
  /** Failures in a row, and of all time. */
  #failures = 0;
  #failuresEver = 0;
  #saidCode = "";
  #cancelPause: Cancel | undefined;
  #lastSentMs = Number.NEGATIVE_INFINITY;
  #progressMs: number;
  heardMs = 0;

  constructor(options: SenderOptions) {
    this.#options = options;
    this.#conditions = new Conditions(options.clock);
    this.#progressMs = options.clock.nowMs();
    this.#metrics = createSenderMetrics(options.meter, () => (this.#isUp ? 1 : 0));
  }

  /** Nothing has failed since something was taken. */
  get isUp(): boolean {
    return this.#isUp;
  }

  /** For how long the collector has taken nothing although there was something for it. */
  awayMs(nowMs: number): number {
    return this.#options.queue.totals.records === 0 && this.#isUp ? 0 : nowMs - this.#progressMs;
  }

  /** Greets the collector; resolves when it has answered, refused, or `waitMs` have passed. */
  async hello(waitMs: number): Promise<void> {
    this.#isUp = false;
    this.#beat();
    await this.#conditions.until(() => !this.#isBeating, waitMs);
  }

  /** Sends what may be sent. */
  pump(): void {
    const { queue, clock } = this.#options;
    while (this.#isUp && !this.#isStopped && queue.sending < inFlightMax) {
      const order = this.#nextOrder();
      const entry = queue.next(order, clock.nowMs());
      if (entry === undefined) return;
      void this.#send(entry, order);
    }
  }

  /** To be called every second; `moved` when the watermark did and no record says so. */
  tick(nowMs: number, moved: boolean): void {
    this.pump();
    if (!this.#isUp) return;
    const { queue, waitsForAnswer } = this.#options;
    // Records that wait for an answer to a heartbeat must not keep it from being asked.
    const isStuck = queue.sending === 0 && waitsForAnswer();
    if (queue.totals.records > 0 && !isStuck) return;
    const isDue = moved || nowMs >= this.#lastSentMs + heartbeatMs || nowMs < this.#lastSentMs;
    if (isDue) this.#beat();
  }

  /** Resolves when nothing is held any more, something has failed once more, or time is over. */
  async drain(waitMs?: number): Promise<void> {
    const { queue } = this.#options;
    const failures = this.#failuresEver;
    for (const entry of queue.held()) if (entry.failures > 0) entry.notBeforeMs = 0;
    if (this.#isUp) this.pump();
    else this.#beat();
    const isDone = (): boolean => queue.totals.records === 0 && !this.#isBeating;
    await this.#conditions.until(() => isDone() || this.#failuresEver > failures, waitMs);
  }

  /** Begins nothing any more. */
  stop(): void {
    this.#isStopped = true;
    this.#cancelPause?.();
  }

  /** Half and half, the newest first; in order when holes have to be closed. */
  #nextOrder(): SendOrder {
    const { queue } = this.#options;
    if (this.#oldestFirst) return "oldest";
    const newest = queue.sending - this.#backfill;
    return newest <= this.#backfill || this.#backfill >= backfillMax ? "newest" : "oldest";
  }

  async #send(entry: SpoolEntry, order: SendOrder): Promise<void> {
    const { queue, read, rename } = this.#options;
    const isBackfill = order === "oldest";
    queue.move(entry, "sending");
    if (isBackfill) this.#backfill++;
    try {
      const bytes = await read(entry);
      if (bytes === undefined) this.#unreadable(entry);
      else if (!rename(entry, bytes)) await this.#deliver(entry, bytes);
    } finally {
      if (isBackfill) this.#backfill--;
      if (entry.state === "sending") queue.move(entry, "waiting");
      this.pump();
      this.#conditions.look();
    }
  }

  async #deliver(entry: SpoolEntry, bytes: Uint8Array): Promise<void> {
    const { queue, clock, onAcknowledged } = this.#options;
    entry.wasSent = true;
    try {
      const ack = await this.#exchange(bytes, entry);
      if (!hasNumber(ack.have, entry.facts.seq)) throw unheard(entry);
      this.#metrics.sent.add();
      this.#metrics.bytes.add(bytes.length);
      queue.move(entry, "settled");
      onAcknowledged(entry);
      this.#failures = 0;
      this.#oldestFirst = false;
      this.#progressMs = clock.nowMs();
    } catch (cause) {
      this.#refused(entry, bytes, cause);
    }
  }

  #unreadable(entry: SpoolEntry): void {
    this.#options.onUnreadable(entry);
    // The tombstone for it may not be readable either, so that is not tried at once.
    if (entry.facts.kind === "tombstone") this.#backOff(unreadable(entry));
  }

  /** Back-off is the answer to everything but a word about this very record. */
  #refused(entry: SpoolEntry, bytes: Uint8Array, cause: unknown): void {
    const { clock, chance, onRefused, onForked } = this.#options;
    const remedy = cause instanceof OperationalError ? remedyOf(cause.code) : "keep";
    // One tombstone for another would go on without an end.
    if (remedy === "lose" && entry.facts.kind !== "tombstone") {
      onRefused(entry, bytes, cause as OperationalError);
      return;
    }
    if (remedy === "fork") onForked(entry);
    if (remedy === "reorder") this.#oldestFirst = true;
    entry.failures++;
    if (entry.failures >= failuresPutOff) {
      const failures = entry.failures;
      const pause = { failures, chance: chance(), wasAnswered: true, retryAfterMs: undefined };
      const putOffMs = pauseMs(pause);
      entry.notBeforeMs = clock.nowMs() + putOffMs;
    }
    this.#backOff(cause);
  }

  #beat(): void {
    if (this.#isBeating || this.#isStopped) return;
    this.#cancelPause?.();
    this.#cancelPause = undefined;
    this.#isBeating = true;
    void this.#beatOnce().finally(() => {
      this.#isBeating = false;
      this.pump();
      this.#conditions.look();
    });
  }

  async #beatOnce(): Promise<void> {
    const { queue, clock } = this.#options;
    try {
      await this.#exchange(this.#options.heartbeat(), undefined);
      this.#isUp = true;
      if (queue.totals.records > 0) return;
      this.#failures = 0;
      this.#progressMs = clock.nowMs();
    } catch (cause) {
      this.#isUp = true;
      this.#backOff(cause);
    }
  }

  /** Of several requests that fail together, the first decides. */
  #backOff(cause: unknown): void {
    if (!this.#isUp) return;
    this.#isUp = false;
    this.#failures++;
    this.#failuresEver++;
    this.#metrics.retried.add();
    this.#say(cause);
    if (this.#isStopped) return;
    const { clock, chance } = this.#options;
    const { code, retryAfterMs } = cause instanceof OperationalError ? cause : unreached;
    const wasAnswered = code !== unreached.code;
    const failures = this.#failures;
    const delayMs = pauseMs({ failures, chance: chance(), wasAnswered, retryAfterMs });
    this.#cancelPause = clock.after(delayMs, () => this.#beat());
  }

  #say(cause: unknown): void {
    const code = cause instanceof OperationalError ? cause.code : "INTERNAL";
    if (this.#failures > 1 && code === this.#saidCode) return;
    this.#saidCode = code;
    const reason = cause instanceof Error ? cause.message : String(cause);
    this.#options.log.warn("the collector does not take records, they are kept", { code, reason });
  }

  async #exchange(bytes: Uint8Array, entry: SpoolEntry | undefined): Promise<Ack> {
    const { clock, link, onRequest } = this.#options;
    this.#lastSentMs = clock.nowMs();
    const onAnswer = onRequest(entry);
    const withinMs = entry === undefined ? heartbeatAnswerMsMax : answerMsMax;
    const answer = link.send(bytes, withinMs).then((ack) => {
      this.heardMs = clock.nowMs();
      onAnswer(ack);
      return ack;
    });
    let cancel: Cancel = () => {};
    const timeout = new Promise<never>((_, reject) => {
      cancel = clock.after(withinMs, () => reject(unanswered(withinMs)));
    });
    try {
      return await Promise.race([answer, timeout]);
    } finally {
      cancel();
    }
  }
}

function unanswered(withinMs: number): OperationalError {
  return new OperationalError(
    "COLLECTOR_UNREACHABLE",
    `the collector has not answered for ${withinMs / 1_000} s`,
    { retryable: true },
  );
}

function unreadable({ facts }: SpoolEntry): OperationalError {
  return new OperationalError("STORE_CORRUPT", `tombstone ${facts.seq} cannot be read any more`);
}

function unheard({ facts }: SpoolEntry): OperationalError {
  return new OperationalError(
    "COLLECTOR_UNREACHABLE",
    `the collector acknowledges record ${facts.seq} and does not have it`,
    { retryable: true },
  );
}
