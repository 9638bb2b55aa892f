/**
 * R15: webhooks and Alertmanagers that answer 500 or 429, hang, or reset, while the collector is
 * killed again and again, half of the times just as a message has come; incidents open and end
 * meanwhile. Then all are well, and an oracle that knows every incident looks at what each was
 * told.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { createPrng, type Prng } from "../../base/prng.ts";
import {
  bytesOf,
  startMs as fixtureStartMs,
  windowMs as fixtureWindowMs,
} from "../collector/fixture.ts";
import { judgeTold } from "../notify/alert-judge.ts";
import type { Mood, SimTarget } from "../notify/sim-target.ts";
import { type BruntProcess, startBrunt } from "../processes/brunt-process.ts";
import { pause, until } from "../processes/wait.ts";
import { type Row, type RowDefect, rowOf } from "../scoreboard-row.ts";
import { type AlertSinks, startAlertSinks } from "./alert-sinks.ts";
import { heldPrefix, type Said } from "./alerting-decider.ts";

export interface AlertSinkOptions {
  readonly kills: number;
  /** For all of them. */
  readonly seconds: number;
  readonly seed: number;
}

/** The first of each kind is always well, the last changes. */
const moods: readonly Mood[] = ["well", 500, 429, "hanging", "reset", "lost"];
const windowMs = 1_000;
const readyMsMax = 30_000;
const drainMsMax = 240_000;

export async function alertSinkDown({ kills, seconds, seed }: AlertSinkOptions): Promise<Row> {
  const prng = createPrng(seed);
  const directory = mkdtempSync(join(tmpdir(), "brunt-alerts-"));
  const sinks = await startAlertSinks(moods.length);
  const all = [...sinks.webhooks, ...sinks.alertmanagers];
  for (const kind of [sinks.webhooks, sinks.alertmanagers]) {
    for (const [index, target] of kind.entries()) target.mood = moods[index] as Mood;
  }
  const collector = createCollectorProcess({
    dataDir: directory,
    windowLengthMs: windowMs,
    webhooks: sinks.webhooks.map(({ url }) => url),
    alertmanagers: sinks.alertmanagers.map(({ url }) => url),
    allowedTargets: ["127.0.0.1"],
  });
  try {
    await collector.start();
    const script = startScript(collector, prng);
    for (let kill = 0; kill < kills; kill++) {
      for (const kind of [sinks.webhooks, sinks.alertmanagers]) {
        (kind.at(-1) as SimTarget).mood = prng.pick(moods);
      }
      await pause((seconds / kills) * (0.5 + prng.next() / 2) * 1_000);
      if (prng.next() < 0.5) await nextTold(sinks, windowMs * 5);
      await collector.kill();
      await collector.start();
    }
    await script.stop();
    for (const target of all) target.mood = "well";
    const expected = [...script.incidents]
      .filter((id) => !id.startsWith(heldPrefix))
      .map((id) => ({ id, isResolved: true }));
    const verdicts = () =>
      all.map(({ told, url }) => judgeTold(told, expected, { repeats: url.includes("am-") }));
    await until("all is told", () => verdicts().every(({ missed }) => missed.length === 0), {
      withinMs: drainMsMax,
      everyMs: 500,
    }).catch(() => {});
    const sum = (name: "missed" | "unordered" | "changed" | "unasked"): number =>
      verdicts().reduce((total, verdict) => total + verdict[name].length, 0);
    const duplicates = Math.max(...verdicts().map((verdict) => verdict.duplicates));
    return rowOf({
      row: "R15",
      n: expected.length * all.length,
      value: {
        ...{ missed: sum("missed"), unordered: sum("unordered") },
        ...{ changed: sum("changed"), unasked: sum("unasked") },
        duplicatesPerKill: duplicates / kills,
        delayMs: slowestMs(
          all.filter((_, index) => index % moods.length === 0),
          collector,
        ),
      },
      limit: {
        missed: 0,
        unordered: 0,
        changed: 0,
        unasked: 0,
        duplicatesPerKill: 1,
        delayMs: 1_000,
      },
    });
  } finally {
    await collector.kill();
    sinks.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Resolves when a message has come and is not answered yet, or after `withinMs`. */
function nextTold(sinks: AlertSinks, withinMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, withinMs);
    function done(): void {
      clearTimeout(timer);
      sinks.onTold = () => {};
      resolve();
    }
    sinks.onTold = done;
  });
}

/** The slowest first message about an incident, of those that no kill came between. */
function slowestMs(targets: readonly SimTarget[], { opened, kills }: CollectorProcess): number {
  const delays = targets.flatMap(({ told }) =>
    [...opened].map(([id, openedMs]) => {
      const key = `${id}:firing:1`;
      const first = told.find(({ alerts }) => alerts.some((alert) => alert.key === key));
      const isDisturbed = kills.some((atMs) => atMs >= openedMs && atMs <= (first?.atMs ?? 0));
      return first === undefined || isDisturbed ? 0 : first.atMs - openedMs;
    }),
  );
  return Math.max(...delays);
}

interface CollectorProcess {
  readonly url: string;
  /** Incidents by when their window was first decided; those that page. */
  readonly opened: ReadonlyMap<string, number>;
  /** When it was killed. */
  readonly kills: readonly number[];
  start(): Promise<void>;
  kill(): Promise<void>;
}

function createCollectorProcess(config: object): CollectorProcess {
  const program = fileURLToPath(new URL("alerting-collector.js", import.meta.url));
  const opened = new Map<string, number>();
  const kills: number[] = [];
  let running: BruntProcess | undefined;
  let port = 0;
  return {
    opened,
    kills,
    get url() {
      return `http://127.0.0.1:${port}`;
    },
    async start() {
      port = 0;
      running = startBrunt([JSON.stringify(config)], { program });
      createInterface({ input: running.child.stdout as Readable }).on("line", (line) => {
        const said = JSON.parse(line) as Said;
        if ("port" in said) port = said.port;
        else if (!said.opened.startsWith(heldPrefix) && !opened.has(said.opened)) {
          opened.set(said.opened, said.atMs);
        }
      });
      await until("the collector is ready", () => port > 0, { withinMs: readyMsMax, everyMs: 10 });
    },
    async kill() {
      if (running === undefined) return;
      kills.push(Date.now());
      await running.kill("SIGKILL");
      running = undefined;
    },
  };
}

interface Script {
  /** Every service that failed for a while. */
  readonly incidents: ReadonlySet<string>;
  /** Ends every incident, and resolves when the collector has taken that. */
  stop(): Promise<void>;
}

/** Sends a window a second, as one agent would, and keeps each until it is acknowledged. */
function startScript(collector: CollectorProcess, prng: Prng): Script {
  const incidents = new Set<string>();
  const open = new Map<string, number>();
  let [seq, streamSpans, isOver] = [0, 0, false];
  let lastMs = 0;
  const next = async (): Promise<void> => {
    const startMs = Math.max(lastMs, Math.floor(Date.now() / windowMs) * windowMs - windowMs);
    lastMs = startMs + windowMs;
    if (prng.next() < 0.5 && !isOver) {
      const held = prng.next() < 0.2 ? heldPrefix : "";
      const id = `${held}${incidents.size}`;
      incidents.add(id);
      open.set(id, 1 + prng.integer(8));
    }
    for (const [id, left] of [...open]) {
      if (left === 0 || isOver) open.delete(id);
      else open.set(id, left - 1);
    }
    const failing = [...open.keys()].map((service) => ({ service, failed: true }));
    const spans = [...failing, { service: "well" }];
    streamSpans += spans.length;
    seq += 1;
    const batch = bytesOf({
      ...{ seq, spans, streamSpans, windowLengthMs: windowMs, watermarkMs: startMs + windowMs },
      window: (startMs - fixtureStartMs) / fixtureWindowMs,
    });
    while (!(await send(`${collector.url}/api/v1/batches`, batch))) await pause(100);
    await pause(Math.max(0, lastMs + windowMs - Date.now()));
  };
  const run = async (): Promise<void> => {
    while (!isOver) await next();
    // The window in which all is well, and one that closes it.
    await next();
    await next();
  };
  const running = run();
  return {
    incidents,
    async stop() {
      isOver = true;
      await running;
    },
  };
}

async function send(url: string, batch: Uint8Array): Promise<boolean> {
  try {
    const headers = { "content-type": "application/vnd.brunt.sketch-batch" };
    const response = await fetch(url, { method: "POST", headers, body: Buffer.from(batch) });
    await response.arrayBuffer();
    return response.status === 200;
  } catch {
    return false;
  }
}

export const alertSinkDownDefects: readonly RowDefect[] = [
  {
    name: "what was told is not stored",
    caughtBy: "duplicatesPerKill",
    patches: [
      {
        file: "collector/notify/delivery.js",
        find: "await this.#options.write({ marks, plans: [{ notifier: this.id, keys: [] }] });",
        replace: "",
      },
    ],
  },
  {
    name: "what does not page is told as well",
    caughtBy: "unasked",
    patches: [
      {
        file: "collector/notify/alert-book.js",
        find: "!incident.page || !this.#makeRoom()",
        replace: "!this.#makeRoom()",
      },
    ],
  },
];
