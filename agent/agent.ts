/**
 * The agent: receives OTLP, reduces it to sketches, and hands batches to its link. Nothing runs
 * before `start` or after `shutdown` has resolved; shutting down twice, or without a start, is fine.
 */
import type { Server } from "node:net";
import { type Cancel, type Clock, every } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { type Meter, renderPrometheus } from "../base/meter.ts";
import type { Result } from "../base/result.ts";
import type { CollectorLink } from "../wire/agent-link.ts";
import type { AgentConfig } from "./config.ts";
import { createExporter, type Exporter } from "./export/exporter.ts";
import { hashKeyIdOf, hashKeySize, readHashKey } from "./hash-key.ts";
import { Pipeline } from "./pipeline.ts";
import { createBufferPool } from "./receivers/body.ts";
import { createByteBudget } from "./receivers/byte-budget.ts";
import { createGrpcReceiver } from "./receivers/grpc.ts";
import { createHttpReceiver } from "./receivers/http.ts";
import { type Listening, listen } from "./receivers/listen.ts";
import type { Ingested } from "./reduce/reducer.ts";

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

const tickMs = 1_000;
const streamIdSize = 16;

/** @throws OperationalError CONFIG_INVALID when the hash key's file cannot be used */
export function createAgent(config: AgentConfig, settings: AgentSettings): Agent {
  return new RunningAgent(config, settings);
}

class RunningAgent implements Agent {
  readonly #config: AgentConfig;
  readonly #settings: AgentSettings;
  readonly #exporter: Exporter;
  readonly #pipeline: Pipeline;
  #listening: { grpc: Listening; http: Listening } | undefined;
  #state: "created" | "started" | "shut down" = "created";
  #cancelTick: Cancel | undefined;
  #closing: Promise<void> | undefined;

  constructor(config: AgentConfig, settings: AgentSettings) {
    this.#config = config;
    this.#settings = settings;
    const { clock, log, meter, link } = settings;
    const hashKey = readHashKey(config.hashKey) ?? this.#makeHashKey();
    this.#exporter = createExporter({
      clock,
      log,
      meter,
      link,
      queueBatchesMax: config.queueBatchesMax,
      queueBytesMax: config.queueBytesMax,
      chance: () => (settings.randomBytes(1)[0] as number) / 256,
      onThresholds: (thresholds) => this.#pipeline.setThresholds(thresholds),
    });
    this.#pipeline = new Pipeline({
      config,
      clock,
      meter,
      streamId: Buffer.from(settings.randomBytes(streamIdSize)).toString("hex"),
      hashKey,
      hashKeyId: hashKeyIdOf(hashKey),
      tableKey: settings.randomBytes(hashKeySize),
      deliver: (batch) => this.#exporter.add(batch),
      isIdle: () => this.#exporter.idle,
    });
  }

  get ports(): { readonly grpc: number; readonly http: number } {
    return { grpc: this.#listening?.grpc.port ?? 0, http: this.#listening?.http.port ?? 0 };
  }

  async start(): Promise<void> {
    if (this.#state !== "created") return;
    this.#state = "started";
    if (this.#config.listen) this.#listening = await this.#openPorts();
    const { clock } = this.#settings;
    // On whole seconds of the clock, so a window is sealed at its end plus the grace and not later.
    this.#cancelTick = clock.after(tickMs - (clock.nowMs() % tickMs), () => {
      this.#cancelTick = every(clock, tickMs, () => this.#pipeline.tick());
      this.#pipeline.tick();
    });
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
    await Promise.all([this.#listening?.grpc.close(), this.#listening?.http.close()]);
    this.#pipeline.sealAll();
    await this.#exporter.shutdown();
  }

  async #openPorts(): Promise<{ grpc: Listening; http: Listening }> {
    const { host, grpcPort, httpPort } = this.#config;
    const receivers = this.#createReceivers();
    const grpc = await listen(receivers.grpc, { host, port: grpcPort });
    try {
      const http = await listen(receivers.http, { host, port: httpPort });
      const { log } = this.#settings;
      log.info("agent listens", { host, grpcPort: grpc.port, httpPort: http.port });
      return { grpc, http };
    } catch (cause) {
      await grpc.close();
      throw cause;
    }
  }

  #createReceivers(): { grpc: Server; http: Server } {
    const { config, settings } = { config: this.#config, settings: this.#settings };
    const { clock, meter } = settings;
    const budget = createByteBudget(config.bytesInFlightMax);
    meter.gauge("brunt_agent_bytes_in_flight", "Bytes of requests held.", () => budget.used);
    const ingest = (bytes: Uint8Array): Result<Ingested> => this.ingest(bytes);
    const { connectionsMax } = config;
    const shared = { budget, pool: createBufferPool(), meter, clock, connectionsMax, ingest };
    return {
      grpc: createGrpcReceiver({ ...shared, bytesMax: config.grpcBytesMax }),
      http: createHttpReceiver({
        ...shared,
        bytesMax: config.httpBytesMax,
        renderMetrics: () => renderPrometheus(meter),
        isReady: () => this.#state === "started",
      }),
    };
  }

  #makeHashKey(): Uint8Array {
    this.#settings.log.warn(
      "no hash key is configured, one was made for this run; customers of several agents, or of " +
        "this one after a restart, cannot be counted together; set hashKey",
    );
    return this.#settings.randomBytes(hashKeySize);
  }
}
