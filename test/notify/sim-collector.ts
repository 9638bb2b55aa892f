/**
 * The part of a collector that alerts: decisions, the events journal and the notifiers, in virtual
 * time on a disk of its own, which is killed, loses power, and is started again.
 *
 * A decision is there for ever once it is made, as a window's segment is; its events are announced
 * after it, again after a restart when they had not come so far.
 */

import type { Log } from "../../base/log.ts";
import { createMeter, type Meter } from "../../base/meter.ts";
import { recordHeaderSize, scanRecords } from "../../base/records.ts";
import type { Post, PostResult } from "../../collector/notify/http-post.ts";
import { Notify, type NotifyConfig } from "../../collector/notify/notify.ts";
import { EventsJournal } from "../../collector/store/events-journal.ts";
import type { Incident } from "../../wire/api-types.ts";
import { between, chanceOf, happens } from "../sim/chance.ts";
import { Incarnation } from "../sim/incarnation.ts";
import { Scheduler } from "../sim/scheduler.ts";
import { SimDisk } from "../sim/sim-disk.ts";
import { detailOf, startMs } from "./incidents.ts";
import { createSimTarget, type SimTarget } from "./sim-target.ts";

export const webhook = "https://hook.example.com/";
export const otherWebhook = "https://other-hook.example.com/";
export const alertmanager = "http://alertmanager:9093/";

export interface SimCollectorOptions {
  readonly seed?: number;
  readonly config?: Partial<NotifyConfig>;
}

interface Decision {
  readonly closing: number;
  readonly atMs: number;
  readonly incidents: readonly Incident[];
}

interface Life {
  readonly incarnation: Incarnation;
  readonly journal: EventsJournal;
  readonly notify: Notify;
  /** Announcements, one after the other. */
  chain: Promise<void>;
}

const postTimeoutMs = 10_000;
const retentionMs = 48 * 3_600_000;

export class SimCollector {
  readonly scheduler = new Scheduler(startMs);
  readonly disk: SimDisk;
  readonly targets: ReadonlyMap<string, SimTarget>;
  readonly logged: string[] = [];
  meter: Meter = createMeter();
  config: NotifyConfig;
  #decisions: Decision[] = [];
  #incidents = new Map<string, Incident>();
  #life: Life | undefined;
  readonly #seed: number;
  #lives = 0;

  constructor({ seed = 1, config = {} }: SimCollectorOptions = {}) {
    this.#seed = seed;
    this.config = { webhooks: [webhook], alertmanagers: [], allowedTargets: [], ...config };
    this.disk = new SimDisk({ seed, name: "collector", shortWrites: 0.05 });
    const urls = [webhook, otherWebhook, alertmanager];
    this.targets = new Map(urls.map((url) => [new URL(url).host, createSimTarget(url)]));
  }

  get nowMs(): number {
    return Math.floor(this.scheduler.nowMs);
  }

  target(url: string): SimTarget {
    return this.targets.get(new URL(url).host) as SimTarget;
  }

  get notify(): Notify {
    return (this.#life as Life).notify;
  }

  async run(ms: number): Promise<void> {
    await this.scheduler.runUntil(this.scheduler.nowMs + ms);
  }

  /** Begins a life; it is up some time later. */
  start(): void {
    const incarnation = new Incarnation("collector", this.scheduler);
    this.#lives += 1;
    this.meter = createMeter();
    const disk = this.disk.mount(incarnation);
    const journal = new EventsJournal("/data/events", disk);
    const prng = chanceOf(this.#seed, `life ${this.#lives}`);
    const notify = new Notify(this.config, {
      ...{ disk, clock: incarnation.clock, meter: this.meter, log: this.#log(), events: journal },
      ...{ directory: "/data/notify", retentionMs, chance: () => prng.next() },
      post: this.#post(incarnation),
      incidents: () => [...this.#incidents.values()].map(detailOf),
    });
    const life: Life = { incarnation, journal, notify, chain: Promise.resolve() };
    this.#life = life;
    life.chain = (async () => {
      await disk.makeDirectory("/data/events");
      await journal.recover();
      for (const decision of this.#decisions) {
        if (decision.closing > journal.closing) await this.#announce(life, decision);
      }
    })();
    // Windows go on closing meanwhile.
    void life.chain.then(() => notify.start());
  }

  kill(how: "kill" | "cutPower"): void {
    this.#life?.incarnation.kill();
    this.#life = undefined;
    this.disk[how]();
  }

  /** Changes a byte of the payload of a record of the newest file there; nothing runs. */
  async damage(directory: string, record: number): Promise<void> {
    const disk = this.disk.mount(new Incarnation("damage", this.scheduler));
    const work = (async () => {
      const names = (await disk.list(directory)).filter((name) => name.endsWith(".log"));
      const path = `${directory}/${names.sort().at(-1)}`;
      const bytes = (await disk.read(path)) ?? new Uint8Array(0);
      const at = (scanRecords(bytes).offsets[record] ?? 0) + recordHeaderSize + 1;
      const file = await disk.open(path, "r+");
      await file.write(Uint8Array.of((bytes[at] ?? 0) ^ 1), 0, 1, at);
    })();
    await this.run(30_000);
    await work;
  }

  async stop(): Promise<void> {
    const down = this.#life?.notify.shutdown();
    await this.run(5_000);
    await down;
    this.kill("kill");
  }

  /** What the window that closed now says of incidents; only a collector that runs decides. */
  decide(...incidents: readonly Incident[]): void {
    const life = this.#life as Life;
    const closing = this.#decisions.length + 1;
    const decision: Decision = { closing, atMs: this.nowMs, incidents };
    this.#decisions.push(decision);
    for (const incident of incidents) this.#incidents.set(incident.id, incident);
    life.chain = life.chain.then(() => this.#announce(life, decision));
  }

  /** As after a loss of the decider's state. */
  forgetIncidents(): void {
    this.#incidents = new Map();
  }

  async #announce({ journal, notify }: Life, { closing, atMs, incidents }: Decision) {
    const changed = incidents.map((incident) => ({
      type: incident.status === "resolved" ? "incident.resolved" : "incident.updated",
      ...{ atMs, incident },
    }));
    const window = {
      ...{ windowStartMs: atMs - 10_000, spans: 1, errors: 1, keys: 1, anomalies: 0 },
      ...{ coverage: 1, silentAgents: 0, revised: false },
    };
    const appended = await journal.append(closing, [
      ...(changed as Parameters<EventsJournal["append"]>[1]),
      { type: "window.closed", atMs, window },
    ]);
    notify.take(appended.events);
  }

  #post(incarnation: Incarnation): Post {
    const prng = chanceOf(this.#seed, `net ${this.#lives}`);
    return (request) =>
      new Promise((resolve) => {
        const stopping = failedPost("connection");
        const abandon = (): void => settle(stopping);
        const settle = (result: PostResult): void => {
          request.signal.removeEventListener("abort", abandon);
          resolve(result);
        };
        const answer = (afterMs: number, result: PostResult): void => {
          incarnation.after(afterMs, () => settle(result));
        };
        answer(postTimeoutMs, failedPost("timeout"));
        request.signal.addEventListener("abort", abandon);
        // What is on its way when the process dies may arrive, or not.
        this.scheduler.after(between(prng, 1, 50), () => {
          if (!incarnation.isAlive && happens(prng, 0.5)) return;
          const target = this.targets.get(request.url.host) as SimTarget;
          const result = target.take(request, this.nowMs);
          if (result !== undefined) answer(between(prng, 1, 50), result);
        });
      });
  }

  #log(): Log {
    const write = (message: string, fields: object = {}): void => {
      this.logged.push(`${message} ${JSON.stringify(fields)}`);
    };
    return { info: write, warn: write, error: write };
  }
}

function failedPost(reason: "connection" | "timeout"): PostResult {
  return { kind: "failed", reason, detail: "no answer" };
}
