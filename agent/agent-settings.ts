/** What our own code passes to an agent; what a user sets is `AgentConfig`. */
import type { Clock } from "../base/clock.ts";
import type { Disk } from "../base/disk.ts";
import type { Log } from "../base/log.ts";
import type { Meter } from "../base/meter.ts";
import type { CollectorLink } from "../wire/agent-link.ts";
import type { ReadProc } from "./host/host-counters.ts";

export interface AgentSettings {
  readonly clock: Clock;
  readonly disk: Disk;
  readonly log: Log;
  readonly meter: Meter;
  readonly link: CollectorLink;
  /** How this host's metrics are read; where there is none, none are told. */
  readonly readProc?: ReadProc;
  /** Unpredictable bytes: the stream id, the seeds of tables, and a hash key where none is set. */
  randomBytes(size: number): Uint8Array;
}
