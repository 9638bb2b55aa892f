/**
 * The network between agents and the collector, as a `CollectorLink` for each agent. Requests and
 * answers get lost, come twice, late and out of order; while an agent is cut off nothing passes. A
 * request that was on its way when its sender died still arrives.
 */
import { OperationalError } from "../../base/errors.ts";
import type { Prng } from "../../base/prng.ts";
import {
  type Ack,
  type CollectorLink,
  parseAck,
  parseThresholds,
  type Thresholds,
} from "../../wire/agent-link.ts";
import { between, chanceOf, happens, spread } from "./chance.ts";
import type { Incarnation } from "./incarnation.ts";
import type { Scheduler } from "./scheduler.ts";

/** The collector as the network finds it; undefined while it is down. */
export type CollectorEnd = () => CollectorLink | undefined;

export interface NetFaults {
  readonly dropped: number;
  readonly duplicated: number;
  readonly delayed: number;
}

export const stormyNet: NetFaults = { dropped: 0.1, duplicated: 0.08, delayed: 0.1 };
export const calmNet: NetFaults = { dropped: 0, duplicated: 0, delayed: 0 };

export interface SimNetOptions {
  readonly seed: number;
  readonly scheduler: Scheduler;
  readonly collector: CollectorEnd;
  /** Told of every record that reaches the collector, before it does. */
  onArrival(record: Uint8Array): void;
}

type Outcome<T> = { readonly value: T } | { readonly error: OperationalError };

/** How long a sender waits for an answer. */
const timeoutMs = 10_000;
/** A delayed message may outlive its sender's patience many times. */
const delayMsMax = 120_000;

export class SimNet {
  faults: NetFaults = stormyNet;
  readonly #options: SimNetOptions;
  readonly #prng: Prng;
  readonly #cutOffUntilMs = new Map<string, number>();

  constructor(options: SimNetOptions) {
    this.#options = options;
    this.#prng = chanceOf(options.seed, "net");
  }

  cutOff(agent: string, untilMs: number): void {
    this.#cutOffUntilMs.set(agent, Math.max(untilMs, this.#cutOffUntilMs.get(agent) ?? 0));
  }

  heal(): void {
    this.faults = calmNet;
    this.#cutOffUntilMs.clear();
  }

  isCutOff(agent: string): boolean {
    return this.#options.scheduler.nowMs < (this.#cutOffUntilMs.get(agent) ?? 0);
  }

  /** The way of one life of an agent to the collector. */
  linkOf(agent: string, owner: Incarnation): CollectorLink {
    return {
      send: (record) => {
        const copy = record.slice();
        const request = (link: CollectorLink): Promise<Ack> => {
          this.#options.onArrival(copy);
          return link.send(copy);
        };
        return this.#exchange(agent, owner, { request, read: parseAck });
      },
      thresholds: () =>
        this.#exchange<Thresholds>(agent, owner, {
          request: (link) => link.thresholds(),
          read: parseThresholds,
        }),
    };
  }

  #exchange<T>(
    agent: string,
    owner: Incarnation,
    call: {
      request: (link: CollectorLink) => Promise<T>;
      read: (raw: unknown) => { ok: true; value: T } | { ok: false };
    },
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      const settle = (outcome: Outcome<T>): void => {
        cancel();
        if (!owner.isAlive) return;
        if ("value" in outcome) resolve(outcome.value);
        else reject(outcome.error);
      };
      const cancel = owner.after(timeoutMs, () => settle({ error: unreachable("no answer") }));
      for (const delayMs of this.#passages()) {
        this.#options.scheduler.after(delayMs, () => {
          if (!this.isCutOff(agent)) this.#arrive(agent, call, settle);
        });
      }
    });
  }

  /** A request is with the collector; its answer goes the same uncertain way. */
  #arrive<T>(
    agent: string,
    call: {
      request: (link: CollectorLink) => Promise<T>;
      read: (raw: unknown) => { ok: true; value: T } | { ok: false };
    },
    settle: (outcome: Outcome<T>) => void,
  ): void {
    const link = this.#options.collector();
    const answer = (outcome: Outcome<T>): void => {
      for (const delayMs of this.#passages()) {
        this.#options.scheduler.after(delayMs, () => {
          if (!this.isCutOff(agent)) settle(outcome);
        });
      }
    };
    if (link === undefined) {
      answer({ error: unreachable("connection refused") });
      return;
    }
    call.request(link).then(
      (value) => {
        // As over HTTP: what arrives is what was written, read by the product's own parser.
        const read = call.read(JSON.parse(JSON.stringify(value)));
        answer(read.ok ? { value: read.value } : { error: unreachable("malformed answer") });
      },
      (cause: unknown) => {
        if (!(cause instanceof OperationalError)) throw cause;
        answer({ error: cause });
      },
    );
  }

  /** When each copy of a message arrives, from now; none when it is lost. */
  #passages(): number[] {
    const { dropped, duplicated } = this.faults;
    if (happens(this.#prng, dropped)) return [];
    const copies = happens(this.#prng, duplicated) ? 2 : 1;
    return Array.from({ length: copies }, () => this.#delayMs());
  }

  #delayMs(): number {
    return happens(this.#prng, this.faults.delayed)
      ? spread(this.#prng, 500, delayMsMax)
      : between(this.#prng, 1, 60);
  }
}

/** Tells of every record before the collector has it. */
export function watched(
  link: CollectorLink,
  onArrival: (record: Uint8Array) => void,
): CollectorLink {
  return {
    thresholds: () => link.thresholds(),
    send(record) {
      onArrival(record);
      return link.send(record);
    },
  };
}

function unreachable(reason: string): OperationalError {
  return new OperationalError("COLLECTOR_UNREACHABLE", reason, { retryable: true });
}
