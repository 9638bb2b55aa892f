/**
 * What /proc says of a host, as levels and as counters that only grow. A file that is not there or
 * not understood says nothing, and the others do: old kernels know no pressure, containers may hide
 * disks.
 *
 * Names are of OpenTelemetry's semantic conventions 1.44.0, but for pressure, of which these know
 * nothing; `system.disk.io_time` is of each disk, everything else of the host as a whole.
 */
import { parseDiskstats } from "./parse-diskstats.ts";
import { parseMeminfo } from "./parse-meminfo.ts";
import { parseNetDev } from "./parse-net-dev.ts";
import { parsePressure } from "./parse-pressure.ts";
import { parseStat } from "./parse-stat.ts";

/** The text of a file; undefined when there is none. */
export type ReadProc = (path: string) => string | undefined;

export interface HostCounter {
  readonly metric: string;
  readonly value: number;
  /** How many of `value` make one unit of the rate: 1,000 for milliseconds told as a share. */
  readonly unit: number;
}

export interface HostCounters {
  /** By metric. */
  readonly levels: ReadonlyMap<string, number>;
  readonly cpu: { readonly total: number; readonly busy: number } | undefined;
  /** By metric and device. */
  readonly counters: ReadonlyMap<string, HostCounter>;
}

const msPerSecond = 1_000;
const usPerSecond = 1_000_000;
const resources = ["cpu", "memory", "io"] as const;

export function readHostCounters(read: ReadProc): HostCounters {
  const counters = new Map<string, HostCounter>();
  const count = (metric: string, value: number | undefined, unit = 1, device = ""): void => {
    if (value !== undefined) counters.set(`${metric} ${device}`, { metric, value, unit });
  };
  for (const [disk, ms] of parseDiskstats(read("/proc/diskstats") ?? "")) {
    count("system.disk.io_time", ms, msPerSecond, disk);
  }
  const network = read("/proc/net/dev");
  if (network !== undefined) {
    for (const [direction, traffic] of Object.entries(parseNetDev(network))) {
      const of = (metric: string): string => `${metric}{network.io.direction=${direction}}`;
      count(of("system.network.io"), traffic.bytes);
      count(of("system.network.errors"), traffic.errors);
      count(of("system.network.packet.dropped"), traffic.drops);
    }
  }
  for (const resource of resources) {
    const { someUs, fullUs } = parsePressure(read(`/proc/pressure/${resource}`) ?? "");
    count(`system.linux.psi.${resource}.some`, someUs, usPerSecond);
    count(`system.linux.psi.${resource}.full`, fullUs, usPerSecond);
  }
  const cpu = parseStat(read("/proc/stat") ?? "");
  return { levels: memoryLevels(read("/proc/meminfo") ?? ""), cpu, counters };
}

function memoryLevels(text: string): ReadonlyMap<string, number> {
  const memory = parseMeminfo(text);
  if (memory === undefined) return new Map();
  const { totalBytes, availableBytes } = memory;
  return new Map([
    ["system.memory.utilization", (totalBytes - availableBytes) / totalBytes],
    ["system.linux.memory.available", availableBytes],
  ]);
}
