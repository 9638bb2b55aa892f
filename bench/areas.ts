/** What can be measured, in the order of a whole run. */
import { agentArea } from "./areas/agent.ts";
import { awayArea } from "./areas/away.ts";
import { collectorArea } from "./areas/collector.ts";
import { dayArea } from "./areas/day.ts";
import { flushArea } from "./areas/flush.ts";
import { memoryArea } from "./areas/memory.ts";
import { profileArea } from "./areas/profile.ts";
import { readerArea } from "./areas/reader.ts";
import { sketchesArea } from "./areas/sketches.ts";
import { wireArea } from "./areas/wire.ts";
import type { Table } from "./table.ts";

export interface Area {
  readonly name: string;
  /** One line for --help. */
  readonly about: string;
  measure(): Promise<Table>;
}

export const areas: readonly Area[] = [
  {
    name: "sketches",
    about: "ns per add, us per merge, bytes and errors, against packages from npm",
    measure: sketchesArea,
  },
  {
    name: "reader",
    about: "OTLP in memory: the reader and the whole reducer, against protobuf libraries",
    measure: readerArea,
  },
  {
    name: "agent",
    about: "CPU a request over loopback HTTP and gRPC, plain and gzip, 64 to 8192 spans each",
    measure: agentArea,
  },
  {
    name: "memory",
    about: "start to ready, RSS by keys, RSS and CPU at 12k spans/s",
    measure: memoryArea,
  },
  { name: "flush", about: "time to seal a window, by keys", measure: flushArea },
  {
    name: "wire",
    about: "bytes of a window and of a key, against the OTLP they stand for",
    measure: wireArea,
  },
  {
    name: "collector",
    about: "merge, commit and scan of a window of 50,000 keys",
    measure: collectorArea,
  },
  { name: "day", about: "a billion spans a day: the mean rate and its peak", measure: dayArea },
  { name: "away", about: "CPU of an agent whose collector is gone, or mute", measure: awayArea },
  {
    name: "profile",
    about: "where the agent's time goes, by part and by function",
    measure: profileArea,
  },
];
