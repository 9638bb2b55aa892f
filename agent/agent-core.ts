/**
 * An agent without its ports: OTLP requests in, records out over its link. Everything it needs of
 * the world is in its settings, so the simulator runs the very same code.
 */
import type { Cancel } from "../base/clock.ts";
import type { Result } from "../base/result.ts";
import type { AgentSettings } from "./agent-settings.ts";
import type { AgentConfig } from "./config.ts";
import type { AgentLedger } from "./ledger.ts";
import { Outlet } from "./outlet.ts";

import { Pipeline } from "./pipeline.ts";
import type { Ingested } from "./reduce/reducer-metrics.ts";
import { everySecond } from "./tick.ts";

export interface AgentCore {
  readonly streamId: string;
  /**
   * Recovers the spool, greets the collector if it answers soon, and starts the clockwork.
   *
   * @throws OperationalError STORE_LOCKED when another agent has the spool
   */
  start(): Promise<void>;
  /** Takes one ExportTraceServiceRequest in protobuf; a refused one has changed nothing. */
  ingest(bytes: Uint8Array): Result<Ingested>;
  /** The same of one ExportMetricsServiceRequest. */
  ingestMetrics(bytes: Uint8Array): Result<Ingested>;
  /** Resolves once every record so far was acknowledged, declared lost, or failed once more. */
  flush(): Promise<void>;
  /** Seals every window into the spool and sends what it can in a bounded time. */
  shutdown(): Promise<void>;
  ledger(): AgentLedger;
  /** Why it does less than it should; undefined when all is well. */
  degraded(): string | undefined;
}

const tableKeySize = 16;

/** @throws OperationalError CONFIG_INVALID when the hash key's file cannot be used */
export function createAgentCore(config: AgentConfig, settings: AgentSettings): AgentCore {
  return new RunningCore(config, settings);
}

class RunningCore implements AgentCore {
  readonly #settings: AgentSettings;
  readonly #outlet: Outlet;
  readonly #pipeline: Pipeline;
  #state: "created" | "started" | "shut down" = "created";
  #cancelTick: Cancel | undefined;
  #closing: Promise<void> | undefined;

  constructor(config: AgentConfig, settings: AgentSettings) {
    const { meter, randomBytes } = settings;
    this.#settings = settings;
    const outlet = new Outlet({
      ...{ config, settings },
      onThresholds: (thresholds) => this.#pipeline.setThresholds(thresholds),
      onCorrection: (correctionMs) => this.#pipeline.correct(correctionMs),
    });
    this.#outlet = outlet;
    this.#pipeline = new Pipeline({
      ...{ config, meter, clock: outlet.clock, hashKey: outlet.hashKey },
      tableKey: randomBytes(tableKeySize),
      readProc: settings.readProc,
      deliver: (window) => outlet.deliver(window),
      onTick: (told) => outlet.tick(told),
      isAway: () => outlet.isAway(),
    });
  }

  get streamId(): string {
    return this.#outlet.streamId;
  }

  async start(): Promise<void> {
    if (this.#state !== "created") return;
    this.#state = "started";
    // Before anything is waited for: who has called start may hand over spans.
    this.#cancelTick = everySecond(this.#settings.clock, () => this.#pipeline.tick());
    try {
      await this.#outlet.open();
    } catch (cause) {
      this.#cancelTick();
      throw cause;
    }
  }

  ingest(bytes: Uint8Array): Result<Ingested> {
    return this.#pipeline.ingest(bytes);
  }

  ingestMetrics(bytes: Uint8Array): Result<Ingested> {
    return this.#pipeline.ingestMetrics(bytes);
  }

  flush(): Promise<void> {
    return this.#outlet.flush();
  }

  shutdown(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  ledger(): AgentLedger {
    return this.#outlet.ledger(this.#pipeline.openSpans);
  }

  degraded(): string | undefined {
    return this.#outlet.degraded();
  }

  async #close(): Promise<void> {
    this.#state = "shut down";
    this.#cancelTick?.();
    this.#pipeline.sealAll();
    await this.#outlet.close();
  }
}
