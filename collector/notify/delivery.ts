/**
 * What one notifier has still to be told, and telling it: one message at a time, each again until
 * it is taken or refused.
 *
 * Of every alert a notifier hears first that it fires, then perhaps newer revisions, then that it
 * is resolved, and each step only when the one before is durable: after a kill at any moment it
 * hears at most one message again. A message keeps its alerts, and so its key, until it is settled,
 * also over a restart. One that fails again and again lets the others pass.
 *
 * Bounds: `alertsPerMessageMax` alerts and `messageBytesMax` of a message; pauses of 0.5 s to 30 s;
 * what resolved `retentionMs` ago and never got through is given up and counted.
 */
import { createHash } from "node:crypto";
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { Meter } from "../../base/meter.ts";
import type { Alert } from "../../wire/alerts.ts";
import type { AlertBook, HeldAlert } from "./alert-book.ts";
import type { Change } from "./delivery-journal.ts";
import { DeliveryMarks } from "./delivery-marks.ts";
import { createDeliveryMetrics, type DeliveryMetrics } from "./delivery-metrics.ts";
import type { LabelledAlert, Message, Notifier, Outcome, Reason } from "./notifier.ts";
import { Rest } from "./rest.ts";

export interface DeliveryOptions {
  readonly notifier: Notifier;
  readonly book: AlertBook;
  /** Whether a silence holds the alert back now. */
  readonly isSilenced: (held: HeldAlert) => boolean;
  readonly clock: Clock;
  /** Uniform in [0, 1), for the jitter of pauses. */
  readonly chance: () => number;
  readonly log: Log;
  readonly meter: Meter;
  readonly retentionMs: number;
  /** Resolves when the change is durable. */
  readonly write: (change: Change) => Promise<void>;
  /** Called with alerts there is nothing more to tell of. */
  readonly onDone: (ids: readonly string[]) => void;
}

const alertsPerMessageMax = 1_000;
const messageBytesMax = 4 * 2 ** 20;
/** Failures in a row before a message lets the others pass. */
const triesPerTurn = 8;
const pauseMsMin = 500;
const pauseMsMax = 30_000;

export class Delivery {
  readonly marks: DeliveryMarks;
  readonly #options: DeliveryOptions;
  readonly #metrics: DeliveryMetrics;
  readonly #stop = new AbortController();
  readonly #rest: Rest;
  /** How often an alert has let others pass; absent for never. */
  readonly #turns = new Map<string, number>();
  readonly #sentAtMs = new Map<string, number>();
  #message: Message | undefined;
  #storedPlan: readonly string[] | undefined;
  #alertsMax = alertsPerMessageMax;
  #failures = 0;
  #triesOfMessage = 0;
  #trouble: Reason | undefined;
  #running: Promise<void> | undefined;

  constructor(options: DeliveryOptions) {
    const { notifier, meter, clock } = options;
    this.#options = options;
    this.marks = new DeliveryMarks(options);
    this.#rest = new Rest(clock);
    this.#metrics = createDeliveryMetrics(meter, notifier, {
      pending: () => this.marks.pending,
      isFailing: () => this.#trouble !== undefined,
    });
  }

  get id(): string {
    return this.#options.notifier.id;
  }

  /** The keys of the message that is on its way; empty when none is. */
  get plan(): readonly string[] {
    return this.#storedPlan ?? keysOf(this.#message?.alerts ?? []);
  }

  /** Goes on with a message that was on its way, if its alerts are still what they were. */
  resume(keys: readonly string[]): void {
    this.#storedPlan = keys.length === 0 ? undefined : keys;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** There may be something to tell; a pause after a failure is not cut short by it. */
  wake(): void {
    this.#rest.wake();
  }

  /** Lets a message that is on its way arrive within `graceMs`; nothing runs afterwards. */
  async shutdown(graceMs: number): Promise<void> {
    this.#rest.end();
    const cancel = this.#options.clock.after(graceMs, () => this.#stop.abort());
    await this.#running;
    cancel();
  }

  forget(id: string): void {
    this.marks.forget(id);
    this.#turns.delete(id);
    this.#sentAtMs.delete(id);
  }

  async #run(): Promise<void> {
    while (!this.#rest.isOver) {
      const message = await this.#nextMessage();
      if (message === undefined) {
        await this.#rest.untilWoken();
        continue;
      }
      if (this.#rest.isOver) return;
      const outcome = await this.#options.notifier.send(message, this.#stop.signal);
      if (this.#stop.signal.aborted && outcome.kind !== "delivered") return;
      await this.#settle(message, outcome);
    }
  }

  async #nextMessage(): Promise<Message | undefined> {
    if (this.#message !== undefined) return this.#message;
    const { news, marks } = this.marks.due();
    const plan = this.#plan(news);
    if (plan.length > 0) {
      this.#message = messageOf(plan);
      this.#triesOfMessage = 0;
      const keys = keysOf(plan);
      await this.#options.write({ marks, plans: [{ notifier: this.id, keys }] });
    } else if (marks.length > 0) {
      await this.#options.write({ marks });
    }
    this.#announceDone(marks);
    return this.#message ?? this.#repeat();
  }

  /** The stored message if all of it is still due, else of what has waited in the first turn. */
  #plan(news: readonly LabelledAlert[]): readonly LabelledAlert[] {
    const stored = this.#storedPlan;
    this.#storedPlan = undefined;
    if (stored !== undefined) {
      const byKey = new Map(news.map((item) => [item.alert.key, item]));
      const again = stored.flatMap((key) => byKey.get(key) ?? []);
      if (again.length === stored.length) return again;
    }
    const turnOf = ({ alert }: LabelledAlert): number => this.#turns.get(alert.incident) ?? 0;
    const first = news.reduce((least, item) => Math.min(least, turnOf(item)), Infinity);
    return this.#fit(news.filter((item) => turnOf(item) === first));
  }

  #fit(items: readonly LabelledAlert[]): readonly LabelledAlert[] {
    const fitting: LabelledAlert[] = [];
    let bytes = 0;
    for (const item of items) {
      bytes += JSON.stringify(item).length;
      const isFull = fitting.length >= this.#alertsMax || bytes > messageBytesMax;
      if (isFull && fitting.length > 0) break;
      fitting.push(item);
    }
    return fitting;
  }

  /** What its target forgets unless it hears it again. */
  #repeat(): Message | undefined {
    const { notifier, clock } = this.#options;
    if (notifier.repeatEveryMs === undefined) return undefined;
    const beforeMs = clock.nowMs() - notifier.repeatEveryMs;
    const due = this.marks
      .told()
      .filter(({ alert }) => (this.#sentAtMs.get(alert.incident) ?? 0) <= beforeMs);
    return due.length === 0 ? undefined : messageOf(this.#fit(due));
  }

  async #settle(message: Message, outcome: Outcome): Promise<void> {
    this.#tell(outcome);
    if (outcome.kind === "retry") return this.#retryLater(outcome);
    this.#failures = 0;
    const { alerts } = message;
    const isTooLarge = outcome.kind === "refused" && outcome.reason === "too_large";
    if (isTooLarge && alerts.length > 1) {
      this.#alertsMax = Math.ceil(alerts.length / 2);
      this.#message = undefined;
      return;
    }
    const nowMs = this.#options.clock.nowMs();
    for (const { alert } of alerts) {
      if (alert.state === "firing") this.#sentAtMs.set(alert.incident, nowMs);
      this.#turns.delete(alert.incident);
    }
    const isNews = message === this.#message;
    this.#message = undefined;
    if (!isNews) return;
    const marks = this.marks.settle(keptOf(alerts), outcome.kind);
    this.#metrics.settled(keptOf(alerts), outcome.kind);
    await this.#options.write({ marks, plans: [{ notifier: this.id, keys: [] }] });
    this.#announceDone(marks);
  }

  async #retryLater({ retryAfterMs = 0 }: Outcome & { kind: "retry" }): Promise<void> {
    this.#failures += 1;
    this.#triesOfMessage += 1;
    if (this.#message !== undefined && this.#triesOfMessage >= triesPerTurn) {
      for (const { alert } of this.#message.alerts) {
        this.#turns.set(alert.incident, (this.#turns.get(alert.incident) ?? 0) + 1);
      }
      this.#message = undefined;
    }
    const bound = Math.min(pauseMsMax, pauseMsMin * 2 ** (this.#failures - 1));
    await this.#rest.pause(Math.max(retryAfterMs, Math.ceil(bound * this.#options.chance())));
  }

  /** Says in the log what changed, and nothing while it stays as it is. */
  #tell(outcome: Outcome): void {
    const { notifier, log } = this.#options;
    this.#metrics.answered(outcome);
    const trouble = outcome.kind === "delivered" ? undefined : outcome.reason;
    if (trouble === this.#trouble) return;
    this.#trouble = trouble;
    const { name, target } = notifier;
    if (outcome.kind === "delivered")
      log.info("a notifier delivers again", { notifier: name, target });
    else {
      const { reason, detail, kind } = outcome;
      const fields = { notifier: name, target, reason, detail };
      if (kind === "retry") log.warn("a notifier cannot deliver and tries again", fields);
      else log.error("a notifier's target refuses alerts; they are not sent again", fields);
    }
  }

  #announceDone(marks: readonly { readonly id: string; readonly done: boolean }[]): void {
    const done = marks.filter((mark) => mark.done).map(({ id }) => id);
    if (done.length > 0) this.#options.onDone(done);
  }
}

function messageOf(alerts: readonly LabelledAlert[]): Message {
  const [first, ...others] = keysOf(alerts);
  if (first !== undefined && others.length === 0) return { key: first, alerts };
  const key = createHash("sha256").update(keysOf(alerts).join("\n")).digest("hex").slice(0, 32);
  return { key, alerts };
}

function keysOf(alerts: readonly LabelledAlert[]): readonly string[] {
  return alerts.map(({ alert }) => alert.key);
}

function keptOf(alerts: readonly LabelledAlert[]): readonly Alert[] {
  return alerts.map(({ alert }) => alert);
}
