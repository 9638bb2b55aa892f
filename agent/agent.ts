/**
 * The agent: receives OTLP, reduces it to sketches, and hands batches to its link. Nothing runs
 * before `start` or after `shutdown` has resolved; shutting down twice, or without a start, is fine.
 */
import type { Cancel, Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { type Meter, renderPrometheus } from "../base/meter.ts";
import type { Result } from "../base/result.ts";
import type { CollectorLink } from "../wire/agent-link.ts";
import type { AgentConfig } from "./config.ts";
import type { Exporter } from "./export/exporter.ts";
import { createOutlet } from "./outlet.ts";
import { Pipeline } from "./pipeline.ts";
import { openReceivers, type Receivers } from "./receivers/open-receivers.ts";
import type { Ingested } from "./reduce/reducer.ts";
import { everySecond } from "./tick.ts";

export interface AgentSettings {
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: Meter;
  readonly link: CollectorLink;
  /** Unpredictable bytes: the stream id, the seeds of tables, and a hash key where none is set. */
  randomBytes(size: number): Uint8Array;
}

export interface Agent {
  /**
   * Opens the ports and starts the clockwork.
   *
   * @throws OperationalError ADDRESS_IN_USE
   */
  start(): Promise<void>;
  /** Closes the ports, seals every window and sends what it can; the rest is declared lost. */
  shutdown(): Promise<void>;
  /** What was opened; 0 while nothing is. */
  readonly ports: { readonly grpc: number; readonly http: number };
  /** Takes one ExportTraceServiceRequest in protobuf, as the receivers do. */
  ingest(bytes: Uint8Array): Result<Ingested>;
  /** Resolves once every batch made so far was sent, refused, or failed once more. */
  flush(): Promise<void>;
}

/** @throws OperationalError CONFIG_INVALID when the hash key's file cannot be used */
export function createAgent(config: AgentConfig, settings: AgentSettings): Agent {
  return new RunningAgent(config, settings);
}

const noPorts = { grpc: 0, http: 0 };

class RunningAgent implements Agent {
  readonly #config: AgentConfig;
  readonly #settings: AgentSettings;
  readonly #exporter: Exporter;
  readonly #pipeline: Pipeline;
  #receivers: Receivers | undefined;
  #state: "created" | "started" | "shut down" = "created";
  #cancelTick: Cancel | undefined;
  #closing: Promise<void> | undefined;

  constructor(config: AgentConfig, settings: AgentSettings) {
    this.#config = config;
    this.#settings = settings;
    const outlet = createOutlet(config, settings, (thresholds) =>
      this.#pipeline.setThresholds(thresholds),
    );
    this.#exporter = outlet.exporter;
    this.#pipeline = new Pipeline({ ...outlet.batchOptions, hashKey: outlet.hashKey });
  }

  get ports(): { readonly grpc: number; readonly http: number } {
    return this.#receivers?.ports ?? noPorts;
  }

  async start(): Promise<void> {
    if (this.#state !== "created") return;
    this.#state = "started";
    if (this.#config.listen) await this.#open();
    this.#cancelTick = everySecond(this.#settings.clock, () => this.#pipeline.tick());
  }

  shutdown(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  ingest(bytes: Uint8Array): Result<Ingested> {
    return this.#pipeline.ingest(bytes);
  }

  flush(): Promise<void> {
    return this.#exporter.flush();
  }

  async #close(): Promise<void> {
    this.#state = "shut down";
    this.#cancelTick?.();
    await this.#receivers?.close();
    this.#pipeline.sealAll();
    await this.#exporter.shutdown();
  }

  async #open(): Promise<void> {
    const config = this.#config;
    const { clock, meter, log } = this.#settings;
    const ingest = (bytes: Uint8Array): Result<Ingested> => this.#pipeline.ingest(bytes);
    const renderMetrics = (): string => renderPrometheus(meter);
    this.#receivers = await openReceivers({ config, clock, meter, ingest, renderMetrics });
    const { grpc, http } = this.#receivers.ports;
    log.info("agent listens", { host: config.host, grpcPort: grpc, httpPort: http });
  }
}
