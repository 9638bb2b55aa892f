/**
 * Pushes alerts out: folds the stream's events into alerts, and has each notifier told of them.
 *
 *   events → book (durable, with the cursor) → a delivery for each notifier (durable marks)
 *
 * After a restart the book takes the events after its cursor, then the incidents there are: what
 * opened unseen fires, what ended unseen is resolved.
 */
import { type Cancel, type Clock, every } from "../../base/clock.ts";
import type { Disk } from "../../base/disk.ts";
import type { Log } from "../../base/log.ts";
import type { Meter } from "../../base/meter.ts";
import type { IncidentDetail, StreamEvent } from "../../wire/api-types.ts";
import type { EventsView } from "../store/events-journal.ts";
import { createAddressGuard } from "./address-guard.ts";
import { AlertBook } from "./alert-book.ts";
import { createAlertmanager } from "./alertmanager.ts";
import { Delivery } from "./delivery.ts";
import { type Change, type Cursor, DeliveryJournal } from "./delivery-journal.ts";
import type { Post } from "./http-post.ts";
import type { Notifier } from "./notifier.ts";
import { Silences } from "./silences.ts";
import { createWebhook } from "./webhook.ts";

export interface NotifyConfig {
  readonly webhooks: readonly string[];
  readonly alertmanagers: readonly string[];
  readonly allowedTargets: readonly string[];
}

export interface NotifySettings {
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: Meter;
  readonly disk: Disk;
  readonly directory: string;
  readonly post: Post;
  /** Uniform in [0, 1), for the jitter of pauses. */
  readonly chance: () => number;
  /** What could not be delivered for so long after its end is given up. */
  readonly retentionMs: number;
  readonly events: EventsView;
  readonly incidents: () => readonly IncidentDetail[];
}

/** An incident that ended so long before the newest was in the book, unless that was damaged. */
const historyMs = 3_600_000;
/** Silences end, repeats fall due. */
const wakeEveryMs = 5_000;
/** For messages on their way at a shutdown. */
const shutdownGraceMs = 2_000;

export class Notify {
  readonly silences: Silences;
  readonly #settings: NotifySettings;
  readonly #book = new AlertBook();
  readonly #journal: DeliveryJournal;
  readonly #deliveries: readonly Delivery[];
  #cursor: Cursor = { epoch: "", seq: 0 };
  #isTaking = false;
  #cancel: Cancel = () => {};

  constructor(config: NotifyConfig, settings: NotifySettings) {
    const { clock, log, meter, disk, directory } = settings;
    this.#settings = settings;
    this.silences = new Silences({ directory, disk, clock, meter });
    this.#journal = new DeliveryJournal({
      ...{ directory, disk, log, meter },
      whole: () => this.#whole(),
    });
    this.#deliveries = notifiersOf(config, settings).map(
      (notifier) =>
        new Delivery({
          ...settings,
          notifier,
          book: this.#book,
          isSilenced: ({ traits }) => this.silences.untilMs(traits) !== undefined,
          write: (change) => this.#journal.write(change),
          onDone: (ids) => this.#settle(ids),
        }),
    );
    meter.gauge("brunt_notifier_alerts", "alerts somebody has to be told of, or that fire", () => {
      return this.#book.alerts.size;
    });
    meter.gauge("brunt_notifier_dropped_alerts", "alerts that a full book had no room for", () => {
      return this.#book.dropped;
    });
  }

  /** Reads what was delivered and goes on with the rest. The store has been recovered. */
  async start(): Promise<void> {
    await this.#settings.disk.makeDirectory(this.#settings.directory);
    await this.silences.recover();
    const changes = await this.#journal.recover();
    if (this.#deliveries.length === 0) return this.#journal.clear();
    this.#restore(changes);
    this.#catchUp();
    this.#isTaking = true;
    this.#settleAll();
    this.#book.drain();
    await this.#journal.write({});
    this.#cancel = every(this.#settings.clock, wakeEveryMs, () => this.#wake());
    for (const delivery of this.#deliveries) delivery.start();
  }

  #restore(changes: readonly Change[]): void {
    let known: readonly string[] | undefined;
    const byId = new Map(this.#deliveries.map((delivery) => [delivery.id, delivery]));
    for (const { cursor, alerts = [], settled = [], marks = [], plans = [], ...rest } of changes) {
      this.#cursor = cursor ?? this.#cursor;
      known = rest.notifiers ?? known;
      this.#book.restore({ alerts, settled });
      for (const mark of marks) byId.get(mark.notifier)?.marks.restore(mark);
      for (const { notifier, keys } of plans) byId.get(notifier)?.resume(keys);
      for (const id of settled) this.#forget(id);
    }
    for (const delivery of this.#deliveries) {
      // Unless damage took the answer: then it is told again what it may have heard.
      if (known?.includes(delivery.id) === false) this.#introduce(delivery);
    }
  }

  /** A new notifier is told what fires, not what has been. */
  #introduce({ id: notifier, marks }: Delivery): void {
    for (const { id, resolved } of this.#book.alerts.values()) {
      if (resolved !== null) marks.restore({ notifier, id, told: 0, tried: 0, done: true });
    }
  }

  /**
   * The events since give each revision as it was; what they do not say any more, because a file
   * was damaged or numbers began anew, the incidents themselves do.
   */
  #catchUp(): void {
    const { events, incidents, clock, log } = this.#settings;
    const isFirst = this.#cursor.epoch === "";
    const after = this.#cursor.epoch === events.epoch ? this.#cursor.seq : 0;
    for (const event of events.ring) {
      if (!isFirst && event.seq > after) this.#book.take(event);
    }
    this.#cursor = { epoch: events.epoch, seq: events.nextSeq - 1 };
    const nowMs = clock.nowMs();
    const known = new Map(incidents().map((incident) => [incident.id, incident]));
    const newestMs = Math.max(...[...known.values()].map(({ asOfMs }) => asOfMs));
    for (const incident of known.values()) {
      const { id, resolvedAtMs } = incident;
      const isHistory = isFirst || newestMs - (resolvedAtMs ?? newestMs) > historyMs;
      const isOver = resolvedAtMs !== null && !this.#book.alerts.has(id);
      if (isOver && isHistory) this.#book.settle(id);
      else this.#book.takeIncident(incident, nowMs);
    }
    for (const { id, resolved } of this.#book.alerts.values()) {
      if (resolved !== null || known.has(id)) continue;
      log.warn("an incident that was alerted is not known any more and counts as resolved", { id });
      this.#book.end(id, nowMs);
    }
  }

  /** Takes events in their order; they are on their way to the notifiers when it returns. */
  take(events: readonly StreamEvent[]): void {
    if (!this.#isTaking) return;
    const { epoch } = this.#settings.events;
    const after = this.#cursor.epoch === epoch ? this.#cursor.seq : 0;
    for (const event of events) if (event.seq > after) this.#book.take(event);
    this.#cursor = { epoch, seq: events.at(-1)?.seq ?? after };
    const change = { cursor: this.#cursor, ...this.#book.drain() };
    void this.#journal.write(change).then(() => this.#wake());
  }

  #wake(): void {
    for (const delivery of this.#deliveries) delivery.wake();
  }

  /** Lets go of what nobody has to be told of any more. */
  #settle(ids: readonly string[]): void {
    const settled = ids.filter((id) => this.#deliveries.every(({ marks }) => marks.isDone(id)));
    if (settled.length === 0) return;
    for (const id of settled) {
      this.#book.settle(id);
      this.#forget(id);
    }
    void this.#journal.write({ ...this.#book.drain() });
  }

  #settleAll(): void {
    this.#settle([...this.#book.alerts.keys()]);
  }

  #forget(id: string): void {
    for (const delivery of this.#deliveries) delivery.forget(id);
  }

  #whole(): Change {
    return {
      cursor: this.#cursor,
      alerts: [...this.#book.alerts.values()],
      settled: [...this.#book.settled],
      marks: this.#deliveries.flatMap(({ marks }) => marks.all),
      plans: this.#deliveries.map(({ id, plan }) => ({ notifier: id, keys: plan })),
      notifiers: this.#deliveries.map(({ id }) => id),
    };
  }

  /** Safe without start; nothing runs after it. What is not told yet is after the next start. */
  async shutdown(): Promise<void> {
    this.#isTaking = false;
    this.#cancel();
    await Promise.all(this.#deliveries.map((delivery) => delivery.shutdown(shutdownGraceMs)));
    await this.#journal.close();
  }
}

function notifiersOf(config: NotifyConfig, { post, clock }: NotifySettings): readonly Notifier[] {
  const isAllowed = createAddressGuard(config.allowedTargets);
  return [
    ...[...new Set(config.webhooks)].map((url, index) =>
      createWebhook({ name: `webhook-${index + 1}`, url, post, isAllowed }),
    ),
    ...[...new Set(config.alertmanagers)].map((url, index) =>
      createAlertmanager({ name: `alertmanager-${index + 1}`, url, post, clock }),
    ),
  ];
}
