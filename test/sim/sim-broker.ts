/**
 * A message broker between some agents and the collector: it stores what is published and forwards
 * it, at least once, when the collector is there. Killed, it forgets everything, or, with
 * persistence, nothing; who was connected notices and waits until it is back.
 *
 * Its own acknowledgement of a publication means nothing to an agent, so it has none here: a send
 * ends with the collector's answer, which comes through the broker too.
 */
import { OperationalError } from "../../base/errors.ts";
import type { Prng } from "../../base/prng.ts";
import { type Ack, type CollectorLink, parseAck } from "../../wire/agent-link.ts";
import { between, chanceOf, happens, spread } from "./chance.ts";
import type { Incarnation } from "./incarnation.ts";
import type { Scheduler } from "./scheduler.ts";
import type { CollectorEnd } from "./sim-net.ts";

export interface SimBrokerOptions {
  readonly seed: number;
  readonly scheduler: Scheduler;
  readonly collector: CollectorEnd;
  /** Whether stored messages survive the broker. */
  readonly isPersistent: boolean;
  /** Whether an agent has no way to the broker now. */
  isCutOff(agent: string): boolean;
  onArrival(record: Uint8Array): void;
}

interface Publication {
  readonly record: Uint8Array;
  readonly answer: (outcome: Outcome) => void;
  /** Where the answer goes. */
  readonly agent: string;
  forwarded: boolean;
}

type Outcome = { readonly ack: unknown } | { readonly error: OperationalError };

const answerTimeoutMs = 30_000;
/** A full broker drops what is published, as Mosquitto does. */
const storedMax = 200;
const retryMs = 1_000;

export class SimBroker {
  readonly #options: SimBrokerOptions;
  readonly #prng: Prng;
  #stored: Publication[] = [];
  #isUp = true;
  #life = 0;
  #isStormy = true;

  constructor(options: SimBrokerOptions) {
    this.#options = options;
    this.#prng = chanceOf(options.seed, "broker");
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  kill(): void {
    this.#isUp = false;
    this.#life++;
    if (!this.#options.isPersistent) this.#stored = [];
  }

  start(): void {
    this.#isUp = true;
    // A session that comes back gets everything again that it had not confirmed.
    for (const publication of this.#stored) this.#forwardSoon(publication);
  }

  heal(): void {
    this.#isStormy = false;
    if (!this.#isUp) this.start();
  }

  /** The way of one life of an agent to the collector. */
  linkOf(
    agent: string,
    owner: Incarnation,
    thresholds: CollectorLink["thresholds"],
  ): CollectorLink {
    return { send: (record) => this.#send(agent, owner, record.slice()), thresholds };
  }

  #send(agent: string, owner: Incarnation, record: Uint8Array): Promise<Ack> {
    if (!this.#isUp || this.#options.isCutOff(agent)) {
      return owner.later(1, () => {
        throw unreachable("not connected to the broker");
      });
    }
    return new Promise((resolve, reject) => {
      const cancel = owner.after(answerTimeoutMs, () => reject(unreachable("no answer")));
      const answer = (outcome: Outcome): void => {
        cancel();
        if (!owner.isAlive) return;
        if ("error" in outcome) {
          reject(outcome.error);
          return;
        }
        const ack = parseAck(outcome.ack);
        if (ack.ok) resolve(ack.value);
        else reject(unreachable(ack.error.message));
      };
      this.#publish({ agent, record, answer, forwarded: false });
    });
  }

  #publish(publication: Publication): void {
    const life = this.#life;
    this.#options.scheduler.after(this.#delayMs(), () => {
      if (!this.#isUp || this.#life !== life || this.#stored.length >= storedMax) return;
      this.#stored.push(publication);
      this.#forwardSoon(publication);
    });
  }

  #forwardSoon(publication: Publication): void {
    const life = this.#life;
    this.#options.scheduler.after(this.#delayMs(), () => {
      if (this.#isUp && this.#life === life) this.#forward(publication);
    });
  }

  #forward(publication: Publication): void {
    if (!this.#stored.includes(publication)) return;
    const link = this.#options.collector();
    if (link === undefined) {
      this.#options.scheduler.after(retryMs, () => this.#forwardSoon(publication));
      return;
    }
    this.#options.onArrival(publication.record);
    link.send(publication.record.slice()).then(
      (ack) => this.#answer(publication, { ack: JSON.parse(JSON.stringify(ack)) }),
      (error: unknown) => {
        if (!(error instanceof OperationalError)) throw error;
        this.#answer(publication, { error });
      },
    );
    // The collector confirmed it to the broker, or its confirmation is lost and it comes again.
    const again = this.#isStormy && !publication.forwarded && happens(this.#prng, 0.15);
    publication.forwarded = true;
    if (again) this.#forwardSoon(publication);
    else this.#stored = this.#stored.filter((other) => other !== publication);
  }

  #answer(publication: Publication, outcome: Outcome): void {
    if (!this.#isUp) return;
    const life = this.#life;
    const { agent, answer } = publication;
    const deliver = (): void => {
      if (this.#life !== life && !this.#options.isPersistent) return;
      // Kept for an agent that is away, as its session is.
      if (!this.#isUp || this.#options.isCutOff(agent)) {
        this.#options.scheduler.after(retryMs, deliver);
      } else answer(outcome);
    };
    this.#options.scheduler.after(this.#delayMs(), deliver);
  }

  #delayMs(): number {
    return this.#isStormy && happens(this.#prng, 0.05)
      ? spread(this.#prng, 500, 60_000)
      : between(this.#prng, 1, 40);
  }
}

function unreachable(reason: string): OperationalError {
  return new OperationalError("COLLECTOR_UNREACHABLE", reason, { retryable: true });
}
