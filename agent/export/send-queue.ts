/**
 * Everything held for the collector, in the order it was sealed, with two ends to take from: the
 * newest record that waits, because an incident is now, and the oldest, because that one is the
 * next to be given up. Looking for either passes each record about once.
 */
import { isHeld, type SpoolEntry } from "../spool/spool-entry.ts";

export type SendOrder = "newest" | "oldest";

export interface HeldTotals {
  readonly records: number;
  readonly spans: number;
  readonly bytes: number;
}

/** So many records that are over before the list is shortened. */
const slackMax = 4_096;

export class SendQueue {
  #entries: SpoolEntry[] = [];
  readonly #places = new Map<SpoolEntry, number>();
  /** Place of `#entries[0]`; places only grow. */
  #base = 0;
  /** Entries before this one are over. */
  #front = 0;
  /** No record below, or from, these places waits. */
  #low = 0;
  #high = 0;
  #totals = { records: 0, spans: 0, bytes: 0 };
  waiting = 0;
  sending = 0;

  get totals(): HeldTotals {
    return this.#totals;
  }

  add(entry: SpoolEntry): void {
    const place = this.#base + this.#entries.length;
    this.#places.set(entry, place);
    this.#entries.push(entry);
    if (!isHeld(entry)) return;
    this.#count(entry, 1);
    if (entry.state === "waiting") {
      this.waiting++;
      this.#widen(place);
    }
  }

  /** Changes the state of a record that was added. */
  move(entry: SpoolEntry, state: SpoolEntry["state"]): void {
    const before = entry.state;
    if (before === state) return;
    const wasHeld = isHeld(entry);
    entry.state = state;
    if (before === "waiting") this.waiting--;
    if (before === "sending") this.sending--;
    if (state === "sending") this.sending++;
    if (state === "waiting") {
      this.waiting++;
      this.#widen(this.#places.get(entry) as number);
    }
    if (wasHeld && !isHeld(entry)) {
      this.#count(entry, -1);
      entry.bytes = undefined;
      this.#shorten();
    }
  }

  /** The next record to send from this end, which is not put off. */
  next(order: SendOrder, nowMs: number): SpoolEntry | undefined {
    return order === "oldest" ? this.#oldest(nowMs) : this.#newest(nowMs);
  }

  /** Held records, oldest first. */
  *held(): Iterable<SpoolEntry> {
    for (const entry of this.#entries) if (isHeld(entry)) yield entry;
  }

  #oldest(nowMs: number): SpoolEntry | undefined {
    this.#low = Math.max(this.#low, this.#base);
    let isFirst = true;
    for (let place = this.#low; place < this.#high; place++) {
      const entry = this.#entries[place - this.#base] as SpoolEntry;
      if (entry.state !== "waiting") continue;
      if (isFirst) this.#low = place;
      isFirst = false;
      if (entry.notBeforeMs <= nowMs) return entry;
    }
    if (isFirst) this.#low = this.#high;
    return undefined;
  }

  #newest(nowMs: number): SpoolEntry | undefined {
    let isFirst = true;
    for (let place = this.#high - 1; place >= Math.max(this.#low, this.#base); place--) {
      const entry = this.#entries[place - this.#base] as SpoolEntry;
      if (entry.state !== "waiting") continue;
      if (isFirst) this.#high = place + 1;
      isFirst = false;
      if (entry.notBeforeMs <= nowMs) return entry;
    }
    if (isFirst) this.#high = this.#low;
    return undefined;
  }

  #widen(place: number): void {
    if (this.#low >= this.#high) {
      this.#low = place;
      this.#high = place + 1;
      return;
    }
    this.#low = Math.min(this.#low, place);
    this.#high = Math.max(this.#high, place + 1);
  }

  #count(entry: SpoolEntry, sign: 1 | -1): void {
    this.#totals.records += sign;
    this.#totals.spans += sign * entry.facts.spans;
    this.#totals.bytes += sign * entry.size;
  }

  /** Forgets what is over at the front. */
  #shorten(): void {
    while (this.#front < this.#entries.length) {
      if (isHeld(this.#entries[this.#front] as SpoolEntry)) break;
      this.#front++;
    }
    if (this.#front < slackMax && this.#front < this.#entries.length) return;
    for (const entry of this.#entries.slice(0, this.#front)) this.#places.delete(entry);
    this.#entries = this.#entries.slice(this.#front);
    this.#base += this.#front;
    this.#front = 0;
  }
}
