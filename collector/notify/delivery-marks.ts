/** How far one notifier is with each alert, and what follows from that. */
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { Meter } from "../../base/meter.ts";
import type { Alert } from "../../wire/alerts.ts";
import type { AlertBook, HeldAlert } from "./alert-book.ts";
import type { Mark } from "./delivery-journal.ts";
import type { LabelledAlert, Notifier } from "./notifier.ts";

export interface DeliveryMarksOptions {
  readonly notifier: Notifier;
  readonly book: AlertBook;
  readonly isSilenced: (held: HeldAlert) => boolean;
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: Meter;
  readonly retentionMs: number;
}

export interface Due {
  /** In the order their incidents first fired; one alert of an incident at most. */
  readonly news: readonly LabelledAlert[];
  /** Of alerts that need no message: silenced throughout, refused, or given up. */
  readonly marks: readonly Mark[];
}

type Next = Alert | "wait" | "silenced" | "refused" | "expired";

export class DeliveryMarks {
  readonly #options: DeliveryMarksOptions;
  readonly #marks = new Map<string, Mark>();

  constructor(options: DeliveryMarksOptions) {
    this.#options = options;
  }

  get all(): readonly Mark[] {
    return [...this.#marks.values()];
  }

  restore(mark: Mark): void {
    this.#marks.set(mark.id, mark);
  }

  isDone(id: string): boolean {
    return this.#marks.get(id)?.done === true;
  }

  forget(id: string): void {
    this.#marks.delete(id);
  }

  /** The alerts that wait, after marking those that need not. */
  due(): Due {
    const news: LabelledAlert[] = [];
    const marks: Mark[] = [];
    for (const held of this.#options.book.alerts.values()) {
      const next = this.#nextOf(held);
      if (next === "wait") continue;
      if (typeof next === "object") news.push({ alert: next, labels: held.labels });
      else marks.push(this.#giveUp(held, next));
    }
    return { news, marks };
  }

  /** How many alerts wait. */
  get pending(): number {
    const all = [...this.#options.book.alerts.values()];
    return all.filter((held) => typeof this.#nextOf(held) === "object").length;
  }

  /** What it hears of an alert next; that it is resolved only after it heard that it fires. */
  #nextOf(held: HeldAlert): Next {
    const { clock, isSilenced, retentionMs } = this.#options;
    const { firing, resolved } = held;
    const { told, tried, done } = this.#markOf(held.id);
    if (done) return "wait";
    if (resolved !== null && told > 0) return resolved;
    if (firing.revision <= tried) return resolved === null ? "wait" : "refused";
    if (isSilenced(held)) return resolved === null ? "wait" : "silenced";
    const isOld = clock.nowMs() - held.changedAtMs > retentionMs;
    return resolved !== null && isOld ? "expired" : firing;
  }

  #giveUp(held: HeldAlert, why: "silenced" | "refused" | "expired"): Mark {
    const { meter, notifier, log } = this.#options;
    const { name } = notifier;
    meter.counter(...untold, { notifier: name, why }).add();
    if (why === "expired") {
      log.error("an alert was never delivered and is given up", { notifier: name, id: held.id });
    }
    return this.#put({ ...this.#markOf(held.id), done: true });
  }

  /** Alerts that fire and were taken as firing. */
  told(): readonly LabelledAlert[] {
    return [...this.#options.book.alerts.values()]
      .filter(({ id, resolved }) => resolved === null && this.#markOf(id).told > 0)
      .map(({ firing, labels }) => ({ alert: firing, labels }));
  }

  /** Marks what a message carried as taken, or as refused. */
  settle(alerts: readonly Alert[], kind: "delivered" | "refused"): readonly Mark[] {
    return alerts.map(({ incident, state, revision }) => {
      const mark = this.#markOf(incident);
      if (state === "resolved") return this.#put({ ...mark, done: true });
      const tried = Math.max(mark.tried, revision);
      const told = kind === "delivered" ? Math.max(mark.told, revision) : mark.told;
      return this.#put({ ...mark, told, tried });
    });
  }

  #markOf(id: string): Mark {
    const { notifier } = this.#options;
    return this.#marks.get(id) ?? { notifier: notifier.id, id, told: 0, tried: 0, done: false };
  }

  #put(mark: Mark): Mark {
    this.#marks.set(mark.id, mark);
    return mark;
  }
}

const untold = [
  "brunt_notifier_untold_total",
  "incidents that ended without a message: silenced, refused before, or older than is kept",
] as const;
