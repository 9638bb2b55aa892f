/**
 * An agent of several processes. Workers receive and reduce; this process pairs spans, merges
 * cells, and sends one batch a window, under one stream id. A worker that ends is started again;
 * what is known to be lost with it is counted, and declared with the next batch as rejected.
 */
import type { Cancel } from "../../base/clock.ts";
import { type Result, refuse } from "../../base/result.ts";
import type { Thresholds } from "../../wire/agent-link.ts";
import type { Agent, AgentSettings } from "../agent.ts";
import { BatchMaker } from "../batch-maker.ts";
import type { AgentConfig } from "../config.ts";
import type { AgentLedger } from "../ledger.ts";
import { Outlet } from "../outlet.ts";
import type { Ingested } from "../reduce/reducer-metrics.ts";
import { everySecond } from "../tick.ts";
import { createThresholdTable } from "../windows/threshold-table.ts";
import { adoptedMax } from "../windows/windows.ts";
import type { Ports, StartMessage } from "./messages.ts";
import { WorkerCrew } from "./worker-crew.ts";
import { WorkerMerger } from "./worker-merger.ts";
import { adoptionMs, lateShareOf, shareOf } from "./worker-share.ts";

export interface WorkerAgentSettings extends AgentSettings {
  /** Path of the script that a worker process runs. */
  readonly workerProgram: string;
}

/** @throws OperationalError CONFIG_INVALID when the hash key's file cannot be used */
export function createWorkerAgent(config: AgentConfig, settings: WorkerAgentSettings): Agent {
  return new WorkerAgent(config, settings);
}

const tableKeySize = 16;

class WorkerAgent implements Agent {
  readonly #config: AgentConfig;
  readonly #settings: WorkerAgentSettings;
  readonly #outlet: Outlet;
  readonly #tableKey: Uint8Array;
  readonly #batches: BatchMaker;
  readonly #crew: WorkerCrew;
  #adopted: StartMessage["thresholds"] = [];
  #correctionMs = 0;
  /** As the workers know it. */
  #degraded: string | undefined;
  #ports: Ports = { grpc: 0, http: 0 };
  #state: "created" | "started" | "shut down" = "created";
  #cancelTick: Cancel | undefined;
  #turn: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  constructor(config: AgentConfig, settings: WorkerAgentSettings) {
    const { clock, log, meter, workerProgram } = settings;
    this.#config = config;
    this.#settings = settings;
    const { randomBytes } = settings;
    const outlet = new Outlet({
      ...{ config, settings },
      onThresholds: (thresholds) => this.#adopt(thresholds),
      onCorrection: (correctionMs) => this.#correct(correctionMs),
    });
    this.#outlet = outlet;
    this.#tableKey = randomBytes(tableKeySize);
    this.#batches = new BatchMaker({
      ...{ config, meter, clock: outlet.clock, tableKey: this.#tableKey },
      readProc: settings.readProc,
      deliver: (window) => outlet.deliver(window),
      onTick: (told) => outlet.tick(told),
      isAway: () => outlet.isAway(),
      takeRejected: () => merger.takeRejected(),
    });
    const merger = new WorkerMerger(this.#batches, meter);
    this.#crew = new WorkerCrew({
      clock,
      log,
      meter,
      merger,
      program: workerProgram,
      count: config.workers,
      startMessage: () => this.#startMessage(),
    });
  }

  get ports(): Ports {
    return this.#ports;
  }

  async start(): Promise<void> {
    if (this.#state !== "created") return;
    this.#state = "started";
    const { clock, log } = this.#settings;
    await this.#outlet.open();
    this.#ports = await this.#crew.start();
    const { grpc, http } = this.#ports;
    const { host, workers } = this.#config;
    log.info("agent listens", { host, grpcPort: grpc, httpPort: http, workers });
    this.#cancelTick = everySecond(clock, () => this.#tick());
  }

  shutdown(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  ingest(): Result<Ingested> {
    return refuse("UNSUPPORTED", "an agent of several workers takes spans on its ports only");
  }

  ingestMetrics(): Result<Ingested> {
    return refuse("UNSUPPORTED", "an agent of several workers takes metrics on its ports only");
  }

  flush(): Promise<void> {
    return this.#outlet.flush();
  }

  ledger(): AgentLedger {
    return this.#outlet.ledger(this.#batches.openSpans + this.#crew.openSpans);
  }

  /** A turn that lasts longer than a second stands for the next one too. */
  #tick(): void {
    this.#tellDegraded();
    const nowMs = this.#outlet.clock.nowMs();
    this.#turn ??= this.#crew.seal(nowMs, { all: false }).finally(() => {
      this.#turn = undefined;
    });
  }

  #tellDegraded(): void {
    const degraded = this.#outlet.degraded();
    if (degraded === this.#degraded) return;
    this.#degraded = degraded;
    this.#crew.tellAll({ type: "degraded", degraded });
  }

  async #close(): Promise<void> {
    const wasStarted = this.#state === "started";
    this.#state = "shut down";
    this.#cancelTick?.();
    if (wasStarted) {
      await this.#crew.close();
      await this.#turn;
      await this.#crew.seal(this.#outlet.clock.nowMs(), { all: true });
      this.#crew.stop();
    }
    this.#ports = { grpc: 0, http: 0 };
    await this.#outlet.close();
  }

  #adopt(thresholds: Thresholds): void {
    const fromMs = adoptionMs(this.#outlet.clock.nowMs());
    const before = this.#adopted.filter((other) => other.fromMs < fromMs);
    this.#adopted = [...before, { thresholds, fromMs }].slice(-adoptedMax);
    this.#batches.windows.adopt(createThresholdTable(thresholds), fromMs);
    this.#crew.tellAll({ type: "adopt", thresholds, fromMs });
  }

  #correct(correctionMs: number): void {
    this.#correctionMs = correctionMs;
    this.#batches.windows.setBack(this.#outlet.clock.nowMs());
    this.#crew.tellAll({ type: "correct", correctionMs });
  }

  #startMessage(): StartMessage {
    return {
      type: "start",
      config: shareOf(this.#config),
      hashKey: this.#outlet.hashKey,
      tableKey: this.#tableKey,
      epochMs: this.#batches.epochMs,
      lateSegmentsMax: lateShareOf(this.#config),
      thresholds: this.#adopted,
      correctionMs: this.#correctionMs,
      degraded: this.#outlet.degraded(),
    };
  }
}
