/**
 * Incidents that page, as alerts: a fold over the numbered events. The same events make the same
 * alerts with the same keys, on every collector and after every restart, so nothing here looks at
 * a clock but that of the incidents themselves.
 *
 * An incident fires when it first passes the gate. It is told anew, under the next revision, when
 * its cause changes or its customers double, at most every `reviseEveryMs` of event time. What has
 * been made of a revision is never changed.
 *
 * Bounds: `alertsMax` alerts; of more, the oldest resolved one goes, and if none is resolved the
 * new one is not taken. Ids of the newest `alertsMax` that everybody was told of are remembered,
 * so that a repeated event makes no second alert.
 */
import type { Alert, Matcher } from "../../wire/alerts.ts";
import type { Estimate, Incident, StreamEvent } from "../../wire/api-types.ts";
import { alertOf, keyOf, labelsOf } from "./alert-text.ts";
import type { Labels } from "./notifier.ts";
import { traitsOf } from "./traits.ts";

export interface HeldAlert {
  readonly id: string;
  readonly labels: Labels;
  /** The newest revision. */
  readonly firing: Alert;
  /** Event time at which that revision was made. */
  readonly revisedAtMs: number;
  readonly resolved: Alert | null;
  /** What silences are matched with. */
  readonly traits: readonly Matcher[];
  /** When the event came that made it what it is. */
  readonly changedAtMs: number;
}

/** What changed in the book since it was asked last. */
export interface BookChange {
  readonly alerts: readonly HeldAlert[];
  readonly settled: readonly string[];
}

export const alertsMax = 20_000;
const reviseEveryMs = 60_000;
/** Of the customers told last. */
const growthFactor = 2;

export class AlertBook {
  readonly #alerts = new Map<string, HeldAlert>();
  readonly #settled = new Set<string>();
  /** Material changes that wait because the last revision is too young. */
  readonly #waiting = new Map<string, Incident>();
  #changed = new Set<string>();
  #gone = new Set<string>();
  /** Alerts that went, or were not taken, because the book was full. */
  dropped = 0;

  /** In the order they first fired. */
  get alerts(): ReadonlyMap<string, HeldAlert> {
    return this.#alerts;
  }

  get settled(): ReadonlySet<string> {
    return this.#settled;
  }

  take(event: StreamEvent): void {
    if (event.type === "window.closed") {
      const asOfMs = event.window.windowStartMs;
      for (const [id, incident] of [...this.#waiting]) {
        const held = this.#alerts.get(id);
        if (held !== undefined) this.#revise(held, incident, Math.max(asOfMs, incident.asOfMs));
      }
      return;
    }
    this.takeIncident(event.incident, event.atMs);
  }

  takeIncident(incident: Incident, atMs: number): void {
    const { id } = incident;
    if (this.#settled.has(id)) return;
    const held = this.#alerts.get(id) ?? this.#open(incident, atMs);
    if (held === undefined || held.resolved !== null) return;
    if (incident.status === "firing") {
      this.#revise(held, incident, incident.asOfMs, atMs);
      return;
    }
    this.#waiting.delete(id);
    const resolved = alertOf(incident, "resolved", held.firing.revision);
    this.#put({ ...held, resolved, changedAtMs: atMs });
  }

  /** Nothing is known of its incident any more. */
  end(id: string, atMs: number): void {
    const held = this.#alerts.get(id);
    if (held === undefined || held.resolved !== null) return;
    const { firing } = held;
    const key = keyOf(id, "resolved", firing.revision);
    const resolved: Alert = { ...firing, key, state: "resolved", resolvedAtMs: atMs };
    this.#put({ ...held, resolved, changedAtMs: atMs });
  }

  #open(incident: Incident, atMs: number): HeldAlert | undefined {
    if (!incident.page || !this.#makeRoom()) return undefined;
    return this.#put({
      id: incident.id,
      labels: labelsOf(incident),
      firing: alertOf(incident, "firing", 1),
      revisedAtMs: incident.asOfMs,
      resolved: null,
      traits: traitsOf(incident),
      changedAtMs: atMs,
    });
  }

  #revise(
    held: HeldAlert,
    incident: Incident,
    asOfMs: number,
    atMs: number = held.changedAtMs,
  ): void {
    const firing = alertOf(incident, "firing", held.firing.revision + 1);
    this.#waiting.delete(held.id);
    if (!isMaterial(held.firing, firing)) return;
    if (asOfMs - held.revisedAtMs < reviseEveryMs) {
      this.#waiting.set(held.id, incident);
      return;
    }
    const traits = traitsOf(incident);
    this.#put({ ...held, firing, revisedAtMs: asOfMs, traits, changedAtMs: atMs });
  }

  #put(held: HeldAlert): HeldAlert {
    this.#alerts.set(held.id, held);
    this.#changed.add(held.id);
    return held;
  }

  #makeRoom(): boolean {
    if (this.#alerts.size < alertsMax) return true;
    this.dropped += 1;
    for (const [id, { resolved }] of this.#alerts) {
      if (resolved === null) continue;
      this.settle(id);
      return true;
    }
    return false;
  }

  /** Nobody has to be told of it any more. */
  settle(id: string): void {
    this.#alerts.delete(id);
    this.#waiting.delete(id);
    this.#changed.delete(id);
    this.#gone.add(id);
    this.#remember(id);
  }

  #remember(id: string): void {
    this.#settled.add(id);
    for (const oldest of this.#settled) {
      if (this.#settled.size <= alertsMax) break;
      this.#settled.delete(oldest);
    }
  }

  drain(): BookChange {
    const alerts = [...this.#changed].flatMap((id) => this.#alerts.get(id) ?? []);
    const settled = [...this.#gone];
    this.#changed = new Set();
    this.#gone = new Set();
    return { alerts, settled };
  }

  /** Puts back what was stored. */
  restore({ alerts, settled }: BookChange): void {
    for (const held of alerts) this.#alerts.set(held.id, held);
    for (const id of settled) {
      this.#alerts.delete(id);
      this.#remember(id);
    }
  }
}

/** Whether somebody who was told `before` should be told `now`. */
function isMaterial(before: Alert, now: Alert): boolean {
  const [a, b] = [before.cause, now.cause];
  if (a.name !== b.name || a.verdict !== b.verdict || before.signal !== now.signal) return true;
  return customersOf(now.customers) >= growthFactor * Math.max(1, customersOf(before.customers));
}

function customersOf(customers: Estimate | null): number {
  return customers === null ? 0 : Math.round(customers.value);
}
