/** What a spool needs of the agent around it. */
import type { Clock } from "../../base/clock.ts";
import type { Disk } from "../../base/disk.ts";
import type { Log } from "../../base/log.ts";
import type { Meter } from "../../base/meter.ts";
import type { LossCause } from "../../wire/sketch-batch.ts";
import type { SendQueue } from "../export/send-queue.ts";
import type { RecoveredSpool } from "./recover-spool.ts";
import type { SpoolEntry } from "./spool-entry.ts";
import type { SpoolLimits } from "./spool-limits.ts";

export interface SpoolOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: Meter;
  /** "" for none. */
  readonly directory: string;
  readonly limits: SpoolLimits;
  readonly memoryBytesMax: number;
  readonly queue: SendQueue;
  /** The first payload of a new file; `previous` is in the file before. */
  headerOf(previous: readonly SpoolEntry[]): Uint8Array;
  /** Takes in what a directory held that was opened now; `spans` are in its records. */
  onRecovered(recovered: RecoveredSpool, spans: number): void;
  /** Records may be sent. */
  onReady(): void;
  /** Declares records lost, which replaces them. */
  giveUp(entries: readonly SpoolEntry[], cause: LossCause): void;
}
