/** A collector alone, and one stream of small records to it, one after the other. */
import { Agent as HttpAgent, request } from "node:http";
import type { LedgerReport } from "../../wire/api-types.ts";
import { bytesOf, startMs as fixtureStartMs, windowMs } from "../collector/fixture.ts";
import {
  type BruntOptions,
  type BruntProcess,
  portOf,
  startBrunt,
} from "../processes/brunt-process.ts";
import { pause, until } from "../processes/wait.ts";
import { readyAt } from "./fleet.ts";

export interface LoneCollector {
  readonly brunt: BruntProcess;
  readonly port: number;
}

const readyMsMax = 30_000;
const againMs = 50;
const batchesPath = "/api/v1/batches";

/** Resolves when it is ready. */
export async function startLoneCollector(
  directory: string,
  options: BruntOptions = {},
): Promise<LoneCollector> {
  const brunt = startBrunt(["collector", "--port", "0", "--data-dir", directory], options);
  const port = await portOf(brunt, "port");
  const url = `http://127.0.0.1:${port}/readyz`;
  await until("the collector is ready", () => readyAt(url), { withinMs: readyMsMax, everyMs: 20 });
  return { brunt, port };
}

export interface SingleStream {
  /** The number of the last record that was acknowledged; so were those before. */
  readonly acknowledged: number;
  stop(): Promise<void>;
}

/** Sends records, each again and again until it is acknowledged. */
export function startStream(port: number): SingleStream {
  const http = new HttpAgent({ keepAlive: true });
  let isOpen = true;
  let acknowledged = 0;
  const run = async (): Promise<void> => {
    while (isOpen) {
      const seq = acknowledged + 1;
      const window = (Math.floor(Date.now() / windowMs) * windowMs - fixtureStartMs) / windowMs;
      const body = bytesOf({ seq, window, streamSpans: seq, spans: [{ customer: seq }] });
      let isTaken = await sendOne(http, port, body);
      while (isOpen && !isTaken) {
        await pause(againMs);
        isTaken = await sendOne(http, port, body);
      }
      if (isTaken) acknowledged = seq;
    }
  };
  const running = run();
  return {
    get acknowledged() {
      return acknowledged;
    },
    async stop() {
      isOpen = false;
      http.destroy();
      await running;
    },
  };
}

function sendOne(http: HttpAgent, port: number, body: Uint8Array): Promise<boolean> {
  return new Promise((resolve) => {
    const outgoing = request({
      ...{ agent: http, host: "127.0.0.1", port, path: batchesPath, method: "POST" },
      headers: { "content-type": "application/vnd.brunt.sketch-batch" },
    });
    outgoing.once("error", () => resolve(false));
    outgoing.once("response", (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    outgoing.end(body);
  });
}

/** Records of the stream that a collector has; without a hole, it is as many numbers from 1 on. */
export async function appliedRecords(port: number): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${port}/api/v1/ledger`);
  const { streams } = (await response.json()) as LedgerReport;
  return streams[0]?.appliedRecords ?? 0;
}
