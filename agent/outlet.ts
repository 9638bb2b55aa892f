/** An agent's way out: who it is to the collector, and the queue its batches leave by. */
import type { Thresholds } from "../wire/agent-link.ts";
import type { AgentSettings } from "./agent-settings.ts";
import type { BatchMakerOptions } from "./batch-maker.ts";
import type { AgentConfig } from "./config.ts";
import { createExporter, type Exporter } from "./export/exporter.ts";
import { hashKeyIdOf, hashKeySize, readHashKey } from "./hash-key.ts";

export interface Outlet {
  readonly streamId: string;
  readonly exporter: Exporter;
  /** 16 bytes customers are hashed with. */
  readonly hashKey: Uint8Array;
  /** What a batch maker has to know to use this outlet. */
  readonly batchOptions: Omit<BatchMakerOptions, "takeRejected">;
}

const streamIdSize = 16;

/** @throws OperationalError CONFIG_INVALID when the hash key's file cannot be used */
export function createOutlet(
  config: AgentConfig,
  settings: AgentSettings,
  onThresholds: (thresholds: Thresholds) => void,
): Outlet {
  const { clock, log, meter, link, randomBytes } = settings;
  const hashKey = readHashKey(config.hashKey) ?? makeHashKey(settings);
  const exporter = createExporter({
    clock,
    log,
    meter,
    link,
    queueBatchesMax: 1_024,
    queueBytesMax: config.memoryBytesMax,
    chance: () => (randomBytes(1)[0] as number) / 256,
    onThresholds,
  });
  const streamId = Buffer.from(randomBytes(streamIdSize)).toString("hex");
  return {
    streamId,
    exporter,
    hashKey,
    batchOptions: {
      config,
      clock,
      meter,
      streamId,
      hashKeyId: hashKeyIdOf(hashKey),
      tableKey: randomBytes(hashKeySize),
      deliver: (batch) => exporter.add(batch),
      isIdle: () => exporter.idle,
    },
  };
}

function makeHashKey({ log, randomBytes }: AgentSettings): Uint8Array {
  log.warn(
    "no hash key is configured, one was made for this run; customers of several agents, or of " +
      "this one after a restart, cannot be counted together; set hashKey",
  );
  return randomBytes(hashKeySize);
}
