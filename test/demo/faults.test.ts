/**
 * The whole promise, as a user meets it: `brunt start`, `brunt watch` and the shop as processes of
 * their own, six faults one after the other, and the shop's own load generator as the judge.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { silentLog } from "../../base/log.ts";
import { demoDimensions, type Fault, faults } from "../../demo/faults.ts";
import type { Shop, startShop } from "../../demo/shop.ts";
import type { Incident, StreamMessage } from "../../wire/api-types.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
/** From switching a fault on to the right incident in `brunt watch`. */
const noticeMs = 60_000;
const learnMs = 70_000;
const resolveMs = 150_000;

interface Told {
  readonly type: "incident.opened" | "incident.updated" | "incident.resolved";
  readonly incident: Incident;
  readonly atMs: number;
}

const told: Told[] = [];
const running: ChildProcess[] = [];
const dataDir = mkdtempSync(join(tmpdir(), "brunt-faults-"));
let windowsClosed = 0;
let shop: Shop;

beforeAll(async () => {
  const dimensions = demoDimensions.flatMap((name) => ["--dimension", name]);
  const ports = ["--grpc-port", "0", "--http-port", "0", "--port", "0"];
  const banner = await run(["start", "--data-dir", dataDir, ...ports, ...dimensions], /stop with/);
  const otlpEndpoint = addressIn(banner, /send\s+(\S+)/);
  const url = addressIn(banner, /look\s+(\S+)/);
  watch(url);
  // The compiled shop: its processes run under plain Node.
  const built = (await import(`${root}/dist/demo/shop.js`)) as { startShop: typeof startShop };
  shop = await built.startShop({ otlpEndpoint, seed: 1, log: silentLog, requestsPerSecond: 40 });
  const learnt = windowsClosed + learnMs / 10_000;
  await vi.waitFor(() => expect(windowsClosed).toBeGreaterThanOrEqual(learnt), {
    timeout: 2 * learnMs,
    interval: 500,
  });
}, 300_000);

afterAll(async () => {
  await shop?.shutdown();
  for (const child of running) child.kill("SIGTERM");
  await Promise.all(running.map((child) => new Promise((resolve) => child.once("exit", resolve))));
  rmSync(dataDir, { recursive: true, force: true });
}, 60_000);

/** Starts `brunt` and gives what it printed up to `until`. */
function run(args: readonly string[], until: RegExp): Promise<string> {
  const child = spawn(join(root, "brunt"), args, { stdio: ["ignore", "pipe", "inherit"] });
  running.push(child);
  let text = "";
  return new Promise((resolve, reject) => {
    child.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
      if (until.test(text)) resolve(text);
    });
    child.once("exit", (code) => reject(new Error(`brunt ${args[0]} ended with ${code}: ${text}`)));
  });
}

function watch(url: string): void {
  const args = ["watch", "--json", "--url", url];
  const child = spawn(join(root, "brunt"), args, { stdio: ["ignore", "pipe", "inherit"] });
  running.push(child);
  createInterface({ input: child.stdout as NodeJS.ReadableStream }).on("line", (line) => {
    const message = JSON.parse(line) as StreamMessage;
    if (message.type === "window.closed") windowsClosed++;
    if (message.type.startsWith("incident.")) {
      told.push({ ...(message as Told), atMs: Date.now() });
    }
  });
}

function addressIn(banner: string, pattern: RegExp): string {
  const found = pattern.exec(banner)?.[1];
  if (found === undefined) throw new Error(`no ${pattern} in: ${banner}`);
  return found.startsWith("http") ? found : `http://${found}`;
}

/** Switches a fault on, waits until `done` accepts what is told since, and switches it off. */
async function during<T>(fault: Fault, done: (since: readonly Told[]) => T): Promise<T> {
  const before = told.length;
  await shop.setFault(fault);
  try {
    return await vi.waitFor(() => done(told.slice(before)), { timeout: noticeMs, interval: 200 });
  } finally {
    await shop.setFault("none");
  }
}

/** Nothing fires any more: the next fault has the stage for itself. */
async function allResolved(): Promise<void> {
  const firing = (): string[] => {
    const last = new Map(told.map(({ incident }) => [incident.id, incident.status]));
    return [...last].filter(([, status]) => status === "firing").map(([id]) => id);
  };
  const options = { timeout: resolveMs, interval: 500 };
  await vi.waitFor(() => expect(firing()).toEqual([]), options);
}

/** The incident that pages, once it says what is expected. */
function rightIncident(fault: Fault, since: readonly Told[]): Incident {
  const { cause, attributes, signal, change } = faults[fault].expected;
  const paged = since.filter(({ incident }) => incident.page && incident.status === "firing");
  const incident = paged.at(-1)?.incident;
  expect(incident, "an incident that pages").toBeDefined();
  // A far side that reports nothing is named as its callers know it.
  expect(incident?.cause.name.replace(/^postgresql:\w+@(\w+):\d+$/, "$1")).toBe(cause);
  expect(incident?.signal).toBe(signal);
  const named = (incident?.combinations[0]?.attributes ?? []).map(textOf);
  const version = change === undefined ? [] : [`service.version=${change.version}`];
  expect(named.filter((text) => !version.includes(text)).sort()).toEqual(
    attributes.map(textOf).sort(),
  );
  return incident as Incident;
}

function textOf({ dimension, value }: { dimension: string; value: string }): string {
  return `${dimension}=${value}`;
}

const paging = (Object.keys(faults) as Fault[]).filter((fault) => faults[fault].expected.pages);

test.each(paging)(
  "fault %s: who, where and why within a minute",
  async (fault) => {
    const before = told.length;
    const incident = await during(fault, (since) => {
      const found = rightIncident(fault, since);
      // A second window: the first one holds a handful of customers at most.
      expect(found.asOfMs - found.startedAtMs).toBeGreaterThanOrEqual(20_000);
      return found;
    });
    const { customersFailed, customersSlow } = await shop.truth({
      fromMs: incident.startedAtMs,
      toMs: incident.asOfMs,
    });
    const truth = incident.signal === "errors" ? customersFailed : customersSlow;
    const customers = incident.impact.customers?.value ?? 0;
    console.log(`fault ${fault}: ${incident.title}; the shop knows of ${truth}`);
    expect(Math.abs(customers - truth)).toBeLessThanOrEqual(Math.max(1, 0.05 * truth));
    await allResolved();
    const opened = told
      .slice(before)
      .filter(({ type, incident: { page } }) => type === "incident.opened" && page);
    expect(opened.map(({ incident: { title } }) => title)).toHaveLength(1);
  },
  300_000,
);

test("fault e: one customer with thousands of errors pages nobody", async () => {
  const before = told.length;
  const held = await during("e", (since) => {
    const last = since.at(-1)?.incident;
    expect(last?.impact.bad).toBeGreaterThan(2_000);
    return last as Incident;
  });
  console.log(`fault e: ${held.title}; ${held.gate}`);
  expect(held.cause.name).toBe(faults.e.expected.cause);
  await allResolved();
  const paged = told.slice(before).filter(({ incident }) => incident.page);
  expect(paged.map(({ incident: { title } }) => title)).toEqual([]);
}, 300_000);
