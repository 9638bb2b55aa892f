/**
 * The worker processes of an agent: started, listened to, started again when they end. One that
 * does not seal in time is ended, because the windows of all wait for it.
 */
import { OperationalError } from "../../base/errors.ts";
import { type Counter, renderPrometheus } from "../../base/meter.ts";
import type { AgentSettings } from "../agent-settings.ts";
import { createFigureBook } from "./figures.ts";
import type { FromWorker, Ports, StartMessage, ToWorker } from "./messages.ts";
import type { WorkerMerger } from "./worker-merger.ts";
import { openSpansName } from "./worker-pipeline.ts";
import { startWorkerProcess, type WorkerProcess } from "./worker-process.ts";

export interface CrewSettings extends Pick<AgentSettings, "clock" | "log" | "meter"> {
  /** Path of the script that a worker process runs. */
  readonly program: string;
  readonly count: number;
  readonly merger: WorkerMerger;
  startMessage(): StartMessage;
}

const startMsMax = 15_000;
const sealMsMax = 5_000;
const restartMsMin = 500;
const restartMsMax = 30_000;
/** A worker that lived so long has not failed because of how it was started. */
const healthyMs = 60_000;

interface Hand {
  readonly owner: number;
  readonly process: WorkerProcess;
  readonly startedMs: number;
  isListening: boolean;
  isClosed: boolean;
}

export class WorkerCrew {
  readonly #settings: CrewSettings;
  readonly #hands = new Map<number, Hand>();
  readonly #figures;
  readonly #restarts: Counter;
  readonly #stuck: Counter;
  readonly #failures: number[] = [];
  /** What somebody waits for, looked at whenever a worker says something or ends. */
  readonly #waits = new Set<() => boolean>();
  #figuresTurn = 0;
  #figuresOwed = new Set<number>();
  #isStarting = true;
  #isStopping = false;
  #failure: OperationalError | undefined;
  #ports: Ports = { grpc: 0, http: 0 };

  constructor(settings: CrewSettings) {
    this.#settings = settings;
    const { meter } = settings;
    this.#figures = createFigureBook(meter);
    this.#restarts = meter.counter(
      "brunt_agent_worker_restarts_total",
      "Workers started again after they ended.",
    );
    this.#stuck = meter.counter(
      "brunt_agent_workers_stuck_total",
      "Workers ended because they did not seal their windows in time.",
    );
    meter.gauge("brunt_agent_workers", "Workers that receive.", () => this.#listening().length);
  }

  /** Spans in the workers' open windows, as they told last. */
  get openSpans(): number {
    return this.#figures.valueOf(openSpansName);
  }

  /** @throws OperationalError of a worker that cannot start, ADDRESS_IN_USE as a rule */
  async start(): Promise<Ports> {
    const { count, clock } = this.#settings;
    const cancel = clock.after(startMsMax, () => {
      this.#failure ??= failedStart(`they do not listen after ${startMsMax} ms`);
      this.#look();
    });
    for (let owner = 0; owner < count; owner++) this.#startHand(owner);
    await this.#until(() => this.#failure !== undefined || this.#listening().length === count);
    cancel();
    this.#isStarting = false;
    if (this.#failure === undefined) return this.#ports;
    this.stop();
    throw this.#failure;
  }

  tellAll(message: ToWorker): void {
    for (const hand of this.#hands.values()) hand.process.send(message);
  }

  /** One turn of sealing, workers and parent. */
  async seal(nowMs: number, options: { readonly all: boolean }): Promise<void> {
    const { clock, merger, log } = this.#settings;
    const cancel = clock.after(sealMsMax, () => {
      for (const owner of merger.late) {
        this.#stuck.add();
        log.error("a worker does not seal, it is ended", { worker: owner, waitedMs: sealMsMax });
        this.#hands.get(owner)?.process.kill();
      }
    });
    await merger.seal(nowMs, options);
    cancel();
  }

  /** The metrics of all. */
  async renderMetrics(): Promise<string> {
    const turn = ++this.#figuresTurn;
    this.#figuresOwed = new Set(this.#listening().map(({ owner }) => owner));
    this.tellAll({ type: "figures wanted", turn });
    await this.#until(() => turn !== this.#figuresTurn || this.#figuresOwed.size === 0);
    return renderPrometheus(this.#settings.meter);
  }

  /** Resolves when no worker receives any more; they still seal. */
  async close(): Promise<void> {
    this.#isStopping = true;
    this.tellAll({ type: "close" });
    await this.#until(() => this.#listening().every(({ isClosed }) => isClosed));
  }

  stop(): void {
    this.#isStopping = true;
    for (const { process } of this.#hands.values()) process.kill();
  }

  #listening(): Hand[] {
    return [...this.#hands.values()].filter(({ isListening }) => isListening);
  }

  #startHand(owner: number): void {
    const { program, clock } = this.#settings;
    const process = startWorkerProcess(program, {
      onMessage: (message) => {
        this.#hear(hand, message);
        this.#look();
      },
      onEnd: (reason) => {
        this.#bury(hand, reason);
        this.#look();
      },
    });
    const startedMs = clock.nowMs();
    const hand: Hand = { owner, process, startedMs, isListening: false, isClosed: false };
    this.#hands.set(owner, hand);
  }

  #hear(hand: Hand, message: FromWorker): void {
    const { owner, process } = hand;
    const { merger, log } = this.#settings;
    switch (message.type) {
      case "ready":
        process.send(this.#settings.startMessage());
        break;
      case "listening":
        hand.isListening = true;
        this.#ports = message.ports;
        if (!this.#isStarting) log.info("a worker listens again", { worker: owner });
        merger.join({ owner, send: (content) => process.send(content) });
        break;
      case "failed":
        this.#failure ??= new OperationalError(message.code, message.message);
        break;
      case "figures":
        this.#figures.add(owner, message.figures);
        if (message.turn === this.#figuresTurn) this.#figuresOwed.delete(owner);
        break;
      case "metrics wanted":
        void this.renderMetrics().then((text) =>
          process.send({ type: "metrics", question: message.question, text }),
        );
        break;
      case "closed":
        hand.isClosed = true;
        break;
      default:
        merger.receive(owner, message);
    }
  }

  #bury({ owner, startedMs }: Hand, reason: string): void {
    this.#hands.delete(owner);
    this.#figures.forget(owner);
    this.#figuresOwed.delete(owner);
    const { clock, log, merger } = this.#settings;
    const spansLost = merger.leave(owner);
    if (this.#isStarting) this.#failure ??= failedStart(`one ended with ${reason}`);
    if (this.#isStarting || this.#isStopping) return;
    const isHealthy = clock.nowMs() - startedMs >= healthyMs;
    const failures = isHealthy ? 0 : (this.#failures[owner] ?? 0);
    this.#failures[owner] = failures + 1;
    const delayMs = Math.min(restartMsMax, restartMsMin * 2 ** failures);
    log.error("a worker ended, it is started again", { worker: owner, reason, spansLost, delayMs });
    clock.after(delayMs, () => {
      if (this.#isStopping) return;
      this.#restarts.add();
      this.#startHand(owner);
    });
  }

  /** Resolves when it is so, which may be at once. */
  #until(isSo: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): boolean => {
        if (!isSo()) return false;
        resolve();
        return true;
      };
      if (!look()) this.#waits.add(look);
    });
  }

  #look(): void {
    for (const look of [...this.#waits]) if (look()) this.#waits.delete(look);
  }
}

function failedStart(reason: string): OperationalError {
  return new OperationalError("INTERNAL", `the worker processes did not start: ${reason}`);
}
