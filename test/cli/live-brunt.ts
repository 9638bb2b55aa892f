/** A real Brunt on a free port whose time is the test's: sockets are real, windows are not waited for. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseAgentConfig } from "../../agent/config.ts";
import { createVirtualClock, type VirtualClock } from "../../base/clock.ts";
import { silentLog } from "../../base/log.ts";
import { createPrng } from "../../base/prng.ts";
import { type Brunt, createBrunt } from "../../cli/brunt.ts";
import { nodeDisk } from "../../cli/node-disk.ts";
import { noObserver, type Observer } from "../../cli/observer.ts";
import { parseCollectorConfig } from "../../collector/config.ts";
import { asProtobuf, callsAsJson, recordingStartMs } from "./recorded-otlp.ts";

export interface LiveBrunt {
  readonly url: string;
  /** Spans of one window arrive, and time passes until it is decided. */
  window(): Promise<void>;
  /** Ends and starts again, on the same port and the same data. */
  restart(): Promise<void>;
  shutdown(): Promise<void>;
}

const windowMs = 10_000;

export async function startLiveBrunt(observer: Observer = noObserver): Promise<LiveBrunt> {
  const dataDir = mkdtempSync(join(tmpdir(), "brunt-live-"));
  const clock = createVirtualClock(recordingStartMs);
  let brunt = assemble({ dataDir, port: 0, clock, observer });
  await brunt.start();
  const port = brunt.collector.port;
  let firstId = 1;
  const pass = async (seconds: number): Promise<void> => {
    for (let second = 0; second < seconds; second++) {
      clock.advance(1_000);
      await brunt.agent.flush();
      await brunt.collector.settled();
    }
  };
  return {
    url: `http://127.0.0.1:${port}`,
    async window() {
      const atMs = clock.nowMs() - recordingStartMs;
      const request = callsAsJson({ count: 10, stepMs: 100, firstId, offsetMs: atMs });
      firstId += 10;
      brunt.agent.ingest(asProtobuf(request));
      await pass((2 * windowMs) / 1_000);
    },
    async restart() {
      await brunt.shutdown();
      brunt = assemble({ dataDir, port, clock, observer });
      await brunt.start();
    },
    async shutdown() {
      await brunt.shutdown();
      rmSync(dataDir, { recursive: true });
    },
  };
}

interface Assembly {
  readonly dataDir: string;
  readonly port: number;
  readonly clock: VirtualClock;
  readonly observer: Observer;
}

function assemble({ dataDir, port, clock, observer }: Assembly): Brunt {
  const agent = parseAgentConfig({ listen: false, hashKey: "00112233445566778899aabbccddeeff" });
  const collector = parseCollectorConfig({ dataDir, port, uiDir: "" });
  if (!agent.ok || !collector.ok) throw new Error("the test's configuration is not valid");
  const prng = createPrng(3 + port);
  return createBrunt({
    settings: { agent: agent.value, collector: collector.value },
    clock,
    disk: nodeDisk,
    log: silentLog,
    observer,
    randomBytes: (size) => Uint8Array.from({ length: size }, () => prng.integer(256)),
  });
}
