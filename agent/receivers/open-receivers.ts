/** Both receivers of an agent, listening. */
import type { Clock } from "../../base/clock.ts";
import type { Meter } from "../../base/meter.ts";
import type { AgentConfig } from "../config.ts";
import { createBufferPool } from "./body.ts";
import { createByteBudget } from "./byte-budget.ts";
import { createGrpcReceiver } from "./grpc.ts";
import { createHttpReceiver } from "./http.ts";
import { listen } from "./listen.ts";
import type { Ingest } from "./signals.ts";

export interface Receivers {
  readonly ports: { readonly grpc: number; readonly http: number };
  /** Lets calls in progress end for a moment, then closes every connection. */
  close(): Promise<void>;
}

export interface ReceiverSettings {
  readonly config: Omit<AgentConfig, "hashKey">;
  readonly clock: Clock;
  readonly meter: Meter;
  readonly ingest: Ingest;
  /** The text of GET /metrics. */
  renderMetrics(): string | Promise<string>;
  /** Why the agent does less than it should; undefined when all is well. */
  degraded(): string | undefined;
}

/** @throws OperationalError ADDRESS_IN_USE */
export async function openReceivers(settings: ReceiverSettings): Promise<Receivers> {
  const { config, clock, meter, ingest, renderMetrics, degraded } = settings;
  const { host, connectionsMax, grpcPort, httpPort } = config;
  const budget = createByteBudget(config.bytesInFlightMax);
  meter.gauge("brunt_agent_bytes_in_flight", "Bytes of requests held.", () => budget.used);
  const shared = { budget, pool: createBufferPool(), meter, clock, connectionsMax, ingest };
  let isOpen = true;
  const receivers = {
    grpc: createGrpcReceiver({ ...shared, bytesMax: config.grpcBytesMax }),
    http: createHttpReceiver({
      ...shared,
      bytesMax: config.httpBytesMax,
      renderMetrics,
      degraded,
      isReady: () => isOpen,
    }),
  };
  const grpc = await listen(receivers.grpc, { host, port: grpcPort });
  try {
    const http = await listen(receivers.http, { host, port: httpPort });
    return {
      ports: { grpc: grpc.port, http: http.port },
      async close() {
        isOpen = false;
        await Promise.all([grpc.close(), http.close()]);
      },
    };
  } catch (cause) {
    await grpc.close();
    throw cause;
  }
}
