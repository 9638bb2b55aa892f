/**
 * The agent: an agent's core and the ports it receives OTLP on. Nothing runs before `start` or
 * after `shutdown` has resolved; shutting down twice, or without a start, is fine.
 */
import { renderPrometheus } from "../base/meter.ts";
import type { Result } from "../base/result.ts";
import { type AgentCore, createAgentCore } from "./agent-core.ts";
import type { AgentSettings } from "./agent-settings.ts";
import type { AgentConfig } from "./config.ts";
import type { AgentLedger } from "./ledger.ts";
import { openReceivers, type Receivers } from "./receivers/open-receivers.ts";
import type { Ingest } from "./receivers/signals.ts";
import type { Ingested } from "./reduce/reducer-metrics.ts";

export type { AgentSettings };

export interface Agent {
  /**
   * Recovers the spool, opens the ports and starts the clockwork.
   *
   * @throws OperationalError ADDRESS_IN_USE, STORE_LOCKED
   */
  start(): Promise<void>;
  /** Closes the ports, seals every window into the spool and sends what it can. */
  shutdown(): Promise<void>;
  /** What was opened; 0 while nothing is. */
  readonly ports: { readonly grpc: number; readonly http: number };
  /** Takes one ExportTraceServiceRequest in protobuf, as the receivers do. */
  ingest(bytes: Uint8Array): Result<Ingested>;
  /** The same of one ExportMetricsServiceRequest. */
  ingestMetrics(bytes: Uint8Array): Result<Ingested>;
  /** Resolves once every record so far was acknowledged, declared lost, or failed once more. */
  flush(): Promise<void>;
  ledger(): AgentLedger;
}

/** @throws OperationalError CONFIG_INVALID when the hash key's file cannot be used */
export function createAgent(config: AgentConfig, settings: AgentSettings): Agent {
  return new RunningAgent(config, settings);
}

const noPorts = { grpc: 0, http: 0 };

class RunningAgent implements Agent {
  readonly #config: AgentConfig;
  readonly #settings: AgentSettings;
  readonly #core: AgentCore;
  #receivers: Receivers | undefined;
  #isStarted = false;
  #closing: Promise<void> | undefined;

  constructor(config: AgentConfig, settings: AgentSettings) {
    this.#config = config;
    this.#settings = settings;
    this.#core = createAgentCore(config, settings);
  }

  get ports(): { readonly grpc: number; readonly http: number } {
    return this.#receivers?.ports ?? noPorts;
  }

  async start(): Promise<void> {
    if (this.#isStarted || this.#closing !== undefined) return;
    this.#isStarted = true;
    await this.#core.start();
    if (this.#config.listen) await this.#open();
  }

  shutdown(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  ingest(bytes: Uint8Array): Result<Ingested> {
    return this.#core.ingest(bytes);
  }

  ingestMetrics(bytes: Uint8Array): Result<Ingested> {
    return this.#core.ingestMetrics(bytes);
  }

  flush(): Promise<void> {
    return this.#core.flush();
  }

  ledger(): AgentLedger {
    return this.#core.ledger();
  }

  async #close(): Promise<void> {
    await this.#receivers?.close();
    await this.#core.shutdown();
  }

  async #open(): Promise<void> {
    const config = this.#config;
    const { clock, meter, log } = this.#settings;
    const ingest: Ingest = {
      traces: (bytes) => this.#core.ingest(bytes),
      metrics: (bytes) => this.#core.ingestMetrics(bytes),
    };
    const renderMetrics = (): string => renderPrometheus(meter);
    const degraded = (): string | undefined => this.#core.degraded();
    const shared = { config, clock, meter, ingest, renderMetrics, degraded };
    this.#receivers = await openReceivers(shared);
    const { grpc, http } = this.#receivers.ports;
    log.info("agent listens", { host: config.host, grpcPort: grpc, httpPort: http });
  }
}
