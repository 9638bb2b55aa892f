/**
 * Follows a demo from the fault on: prints incidents as `brunt watch` does, sets what is found
 * beside what is true, and knows when there is nothing more to wait for.
 */
import type { IncidentDetail, StreamMessage } from "../../wire/api-types.ts";
import { followStream } from "../client/follow-stream.ts";
import type { System } from "../system.ts";
import { createIncidentPrinter, type IncidentPrinter } from "../terminal/incident-printer.ts";
import { fingerprintOf } from "../terminal/render-incident.ts";
import { renderComparison, type Story } from "./report.ts";

export interface DemoWatch {
  readonly url: string;
  /** Undefined when no fault is switched on. */
  readonly story: Story | undefined;
  readonly faultAtMs: number;
  readonly system: System;
  /** Go on until `system.stop`, however much is settled. */
  readonly keep: boolean;
  /** Called once, as soon as there is nothing more to wait for. */
  onSettled(outcome: DemoOutcome): void;
  incidents(): readonly IncidentDetail[];
  customersHurt(question: { readonly fromMs: number; readonly toMs: number }): Promise<number>;
}

export type DemoOutcome = "found" | "quiet" | "missed" | "stopped";

/** Windows with one and the same story before it counts as settled. */
const stableWindows = 2;
/** Windows without a page before nothing is expected any more. */
const quietWindows = 9;
const waitMsMax = 180_000;
/** The fault begins somewhere in a window, so the first bad window may start before it. */
const windowMsMax = 10_000;

export async function watchDemo(watch: DemoWatch): Promise<DemoOutcome> {
  const { system, keep } = watch;
  const ended = new AbortController();
  const printer = createIncidentPrinter({
    terminal: system.stdout,
    nowMs: () => system.clock.nowMs(),
    hopsOf: async (id) => watch.incidents().find((one) => one.id === id)?.graph.hops ?? [],
  });
  const judge = createJudge(watch, printer);
  let outcome: DemoOutcome | undefined;
  let checks = Promise.resolve();
  await followStream({
    url: watch.url,
    token: undefined,
    since: undefined,
    clock: system.clock,
    stop: AbortSignal.any([system.stop, ended.signal]),
    onMessage(message) {
      printer.print(message);
      if (message.type !== "window.closed") return;
      checks = checks.then(async () => {
        if (outcome !== undefined) return;
        outcome = await judge(message);
        if (outcome === undefined) return;
        await printer.drain();
        watch.onSettled(outcome);
        if (!keep) ended.abort();
      });
    },
    onLost: printer.printLoss,
  });
  await checks;
  await printer.drain();
  return outcome ?? "stopped";
}

type WindowClosed = Extract<StreamMessage, { type: "window.closed" }>;

/** After each window: an outcome when nothing more is to come. */
function createJudge(watch: DemoWatch, printer: IncidentPrinter) {
  const { story, faultAtMs, system } = watch;
  const pageWanted = story?.expected.pages ?? false;
  let windows = 0;
  let stable = 0;
  let told = "";
  return async ({ window }: WindowClosed): Promise<DemoOutcome | undefined> => {
    if (window.windowStartMs < faultAtMs) return undefined;
    windows++;
    const incident = firstSince(watch.incidents(), faultAtMs);
    if (!pageWanted && !incident?.page) return windows >= quietWindows ? "quiet" : undefined;
    const now = system.clock.nowMs();
    if (incident === undefined || (pageWanted && !incident.page)) {
      return now - faultAtMs > waitMsMax ? "missed" : undefined;
    }
    const fingerprint = fingerprintOf(incident);
    stable = fingerprint === told ? stable + 1 : 0;
    told = fingerprint;
    const settled = stable >= stableWindows && incident.cause.verdict === "confirmed";
    if (story !== undefined && (stable === 0 || settled)) await compare(watch, printer, incident);
    if (settled) return "found";
    return now - faultAtMs > waitMsMax ? "missed" : undefined;
  };
}

/** What somebody called at night would look at: paging before not, oldest first, then gravest. */
function firstSince(
  incidents: readonly IncidentDetail[],
  faultAtMs: number,
): IncidentDetail | undefined {
  return incidents
    .filter(({ startedAtMs }) => startedAtMs > faultAtMs - windowMsMax)
    .sort(
      (a, b) =>
        Number(b.page) - Number(a.page) || a.startedAtMs - b.startedAtMs || b.score - a.score,
    )[0];
}

async function compare(
  watch: DemoWatch,
  printer: IncidentPrinter,
  incident: IncidentDetail,
): Promise<void> {
  const { story, faultAtMs, system } = watch;
  if (story === undefined) return;
  const { startedAtMs, asOfMs } = incident;
  const customersHurt = await watch.customersHurt({ fromMs: startedAtMs, toMs: asOfMs });
  // The block about the incident comes first, the comparison under it.
  await printer.drain();
  const nowMs = system.clock.nowMs();
  const comparison = { story, incident, customersHurt, faultAtMs, nowMs };
  system.stdout.write(`\n${renderComparison(comparison, system.stdout.style)}\n`);
}
