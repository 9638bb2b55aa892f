/** The host's metrics, from recorded text and, on Linux, from the real /proc. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { createAgent } from "../../agent/agent.ts";
import { defaultAgentConfig } from "../../agent/config.ts";
import { type ReadProc, readHostCounters } from "../../agent/host/host-counters.ts";
import { parseDiskstats } from "../../agent/host/parse-diskstats.ts";
import { parseMeminfo } from "../../agent/host/parse-meminfo.ts";
import { parseNetDev } from "../../agent/host/parse-net-dev.ts";
import { parsePressure } from "../../agent/host/parse-pressure.ts";
import { parseStat } from "../../agent/host/parse-stat.ts";
import { createVirtualClock } from "../../base/clock.ts";
import { silentLog } from "../../base/log.ts";
import { createMeter } from "../../base/meter.ts";
import { nodeDisk } from "../../cli/node-disk.ts";
import { hostReader } from "../../cli/read-proc.ts";
import {
  advanceTo,
  createRecordingLink,
  fixtureStartMs,
  requestOf,
  type SpanLiteral,
  seededBytes,
  valuesOf,
} from "./fixture.ts";

const stat = `cpu  1000 20 300 8000 600 0 50 30 400 0
cpu0 500 10 150 4000 300 0 25 15 200 0
intr 54634658 0 0
`;
const meminfo = `MemTotal:       1000 kB
MemFree:         100 kB
MemAvailable:    250 kB
`;
const diskstats = `   7       0 loop0 42418 132 326360 18314 27851 21014 108848 22797 0 23148 58509
 254       0 vda 2427853 316130 62917866 1592060 3384095 1662780 82703336 826742 0 680316 2797153
 254       1 vda1 1 1 1 1 1 1 1 1 0 680000 1
 259       0 nvme0n1 1 1 1 1 1 1 1 1 0 7000 1
 259       1 nvme0n1p1 1 1 1 1 1 1 1 1 0 6000 1
`;
const netDev = `Inter-|   Receive                                       |  Transmit
 face |bytes packets errs drop fifo frame compressed multicast|bytes packets errs drop
    lo: 900 27269944    7  770    0     0     0     0 900 27269944    0    0    0    0   0 0
  eth0: 4078  118797    2    3    0     0     0     0 12979  85789    4    5    0    0   0 0
  eth1:  100       1    0    0    0     0     0     0     1      1    0    0    0    0   0 0
`;
const pressure = `some avg10=43.92 avg60=30.42 avg300=52.93 total=13008668617
full avg10=0.00 avg60=0.00 avg300=0.00 total=12
`;

describe("files of /proc", () => {
  test("stat: iowait is idle, guests are users", () => {
    expect(parseStat(stat)).toEqual({ total: 10_000, busy: 1_400 });
  });

  test("meminfo, diskstats, net/dev and pressure", () => {
    expect(parseMeminfo(meminfo)).toEqual({ totalBytes: 1_024_000, availableBytes: 256_000 });
    expect([...parseDiskstats(diskstats)]).toEqual([
      ["vda", 680_316],
      ["nvme0n1", 7_000],
    ]);
    expect(parseNetDev(netDev)).toEqual({
      receive: { bytes: 4_178, errors: 2, drops: 3 },
      transmit: { bytes: 12_980, errors: 4, drops: 5 },
    });
    expect(parsePressure(pressure)).toEqual({ someUs: 13_008_668_617, fullUs: 12 });
  });

  test.each(["", "garbage\n", "cpu\n", "cpu x y z a b\n"])(
    "%j says nothing, and throws nothing",
    (text) => {
      const counters = readHostCounters(() => text);
      expect(counters.cpu).toBeUndefined();
      expect([...counters.levels]).toEqual([]);
      for (const { value } of counters.counters.values()) expect(value).toBe(0);
    },
  );

  test.skipIf(process.platform !== "linux")("of this machine (Linux only)", () => {
    const { readProc } = hostReader();
    const counters = readHostCounters(readProc as ReadProc);
    const bytes =
      Number(/MemTotal:\s+(\d+)/.exec(readFileSync("/proc/meminfo", "utf8"))?.[1]) * 1_024;
    expect(counters.levels.get("system.linux.memory.available")).toBeLessThan(bytes);
    expect(counters.levels.get("system.memory.utilization")).toBeGreaterThan(0);
    expect(counters.cpu?.busy).toBeGreaterThan(0);
    expect(counters.cpu?.total).toBeGreaterThan(counters.cpu?.busy as number);
    expect(readProc?.("/proc/no-such-file")).toBeUndefined();
  });
});

/** An agent whose host did so much more at each reading; gives what it shipped. */
async function check(
  spans: readonly SpanLiteral[],
  config: Partial<ReturnType<typeof defaultAgentConfig>> = {},
) {
  const clock = createVirtualClock(fixtureStartMs);
  const link = createRecordingLink(clock);
  let readings = 0;
  const readProc: ReadProc = (path) => {
    if (path === "/proc/stat") {
      readings++;
      return `cpu  ${readings * 700} 0 0 ${readings * 300} 0 0 0 0 0 0\n`;
    }
    if (path === "/proc/meminfo") return meminfo;
    if (path === "/proc/diskstats") return `254 0 vda 0 0 0 0 0 0 0 0 0 ${readings * 5_000} 0\n`;
    return path === "/proc/pressure/io"
      ? `some avg10=0 total=${readings * 2_500_000}\n`
      : undefined;
  };
  const agent = createAgent(
    { ...defaultAgentConfig(), listen: false, hostName: "node-3", ...config },
    {
      clock,
      meter: createMeter(),
      link,
      disk: nodeDisk,
      log: silentLog,
      randomBytes: seededBytes(7),
      readProc,
    },
  );
  await agent.start();
  agent.ingest(requestOf(spans));
  await advanceTo(clock, fixtureStartMs + 20_000);
  agent.ingest(requestOf(spans.map((span) => ({ ...span, id: span.id + 100, to: 15_000 }))));
  await advanceTo(clock, fixtureStartMs + 60_000);
  await agent.shutdown();
  return link.windows();
}

const local = { "host.name": "node-3" };
const onNode = { "k8s.node.name": "node-3", "host.name": "cart-5f" };

describe("in windows", () => {
  test("they stand beside the services that run here, under the host's name", async () => {
    const windows = await check([
      { id: 1, service: "shop", resource: local },
      { id: 2, service: "cart", resource: onNode },
      { id: 3, service: "far", resource: { "host.name": "node-4" } },
      { id: 4, service: "nowhere" },
    ]);
    const values = valuesOf(windows);
    const services = new Set([...values.keys()].map((name) => name.split(" ")[0]));
    expect([...services].sort()).toEqual(["cart", "shop"]);
    expect(values.get("cart system.cpu.utilization")).toMatchObject({ min: 0.7, max: 0.7 });
    expect(values.get("cart system.memory.utilization")).toMatchObject({ min: 0.75 });
    expect(values.get("shop system.disk.io_time")).toMatchObject({ min: 0.5 });
    expect(values.get("shop system.linux.psi.io.some")).toMatchObject({ min: 0.25 });
    const hosts = windows.flatMap(({ cube }) =>
      cube.keys.keys.filter(([, , kind]) => kind === "metric"),
    );
    expect(new Set(hosts.map(([, , , host]) => host))).toEqual(new Set(["node-3"]));
    for (const { counts } of windows) expect(counts.spans).toBe(4);
  });

  test("none where it is switched off, or no host is known", async () => {
    const spans = [{ id: 1, service: "shop", resource: local }];
    expect(valuesOf(await check(spans, { hostMetrics: false })).size).toBe(0);
    expect(valuesOf(await check(spans, { hostName: "" })).size).toBe(0);
    expect(valuesOf(await check(spans)).size).toBeGreaterThan(0);
  });
});
