/** What our own code passes to an agent; what a user sets is `AgentConfig`. */
import type { Clock } from "../base/clock.ts";
import type { Disk } from "../base/disk.ts";
import type { Log } from "../base/log.ts";
import type { Meter } from "../base/meter.ts";
import type { CollectorLink } from "../wire/agent-link.ts";

export interface AgentSettings {
  readonly clock: Clock;
  readonly disk: Disk;
  readonly log: Log;
  readonly meter: Meter;
  readonly link: CollectorLink;
  /** Unpredictable bytes: the stream id, the seeds of tables, and a hash key where none is set. */
  randomBytes(size: number): Uint8Array;
}
