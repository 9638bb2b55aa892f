/**
 * The verdict: what the collector has stored, held against what the oracle knows was taken.
 *
 *   over-count        more in a window and key than was taken: never
 *   undeclared loss   less, beyond what was declared lost and what a kill may have taken: never
 *   ledger            what it says was lost is what is missing, and its streams account for all
 */

import { createByteWriter } from "../../base/bytes.ts";
import type { CollectorCore } from "../../collector/collector-core.ts";
import { copyHll, type Hll, mergeHll } from "../../sketch/hll.ts";
import { encodeHll } from "../../sketch/hll-codec.ts";
import { keyOf as keyValues } from "../../sketch/key.ts";
import type { LedgerReport } from "../../wire/api-types.ts";
import type { AgentMachine } from "./agent-machine.ts";
import { createTally, keyOf, type Oracle, type Taken, type Tally } from "./oracle.ts";
import { simWindowMs } from "./workload.ts";

export interface JudgeOptions {
  readonly agents: readonly AgentMachine[];
  /** An agent whose clock jumped may place spans in other windows than they ended in. */
  readonly clocksJump: boolean;
  fail(message: string): void;
}

export interface Judged {
  readonly spans: number;
  readonly applied: number;
  readonly declaredLost: number;
  readonly atRisk: number;
}

const intervalsMax = 64;

/** What is stored of one agent and operation. */
interface Stored extends Tally {
  readonly windowStarts: Set<number>;
}

/** Every stored window, by agent and operation. Its promise needs time to pass. */
export async function readStored(core: CollectorCore, fail: JudgeOptions["fail"]) {
  const stored = new Map<string, Stored>();
  for (const { summary } of core.store.segmentsNewestFirst()) {
    const segment = await core.store.readSegment(summary.windowStartMs);
    if (!segment.ok) {
      fail(`window ${summary.windowStartMs} cannot be read: ${segment.error.message}`);
      continue;
    }
    const { cube } = segment.value.contents;
    for (const [id, cell] of cube.cells) {
      const [service = "", operation = ""] = keyValues(cube.keys, id);
      const name = keyOf(service, operation);
      const sum = stored.get(name) ?? { ...createTally(), windowStarts: new Set() };
      sum.spans += cell.count;
      sum.errors += cell.errors;
      mergeHll(sum.customers, cell.customers);
      sum.windowStarts.add(summary.windowStartMs);
      stored.set(name, sum);
    }
  }
  return stored;
}

export function judge(
  stored: ReadonlyMap<string, Stored>,
  ledger: LedgerReport,
  oracle: Oracle,
  options: JudgeOptions,
): Judged {
  const { fail, agents } = options;
  for (const name of stored.keys()) {
    if (!oracle.taken.has(name)) fail(`${name} is stored and nobody took it`);
  }
  for (const [name, taken] of oracle.taken) judgeKey(name, taken, stored.get(name), options);
  for (const { name } of agents) judgeAgent(name, { stored, ledger, oracle, options });
  judgeLedger(ledger, fail);
  const all = [...oracle.taken.values()];
  return {
    spans: sum(all, ({ spans }) => spans),
    applied: sum([...stored.values()], ({ spans }) => spans),
    declaredLost: ledger.totals.lostSpans,
    atRisk: sum(all, ({ atRisk }) => atRisk),
  };
}

function judgeKey(
  name: string,
  taken: Taken,
  stored: Stored | undefined,
  { fail, clocksJump }: JudgeOptions,
): void {
  const { spans = 0, errors = 0 } = stored ?? {};
  if (spans > taken.spans || errors > taken.errors) {
    fail(
      `${name}: over-count, stored ${spans} spans and ${errors} errors, ` +
        `taken ${taken.spans} and ${taken.errors}`,
    );
    return;
  }
  if (stored === undefined) return;
  if (!clocksJump && [...stored.windowStarts].some((start) => start !== taken.windowStartMs)) {
    fail(`${name}: stored in windows ${[...stored.windowStarts].join()}`);
  }
  const isWhole = spans === taken.spans;
  if (isWhole && errors !== taken.errors) {
    fail(`${name}: all ${spans} spans are stored, but ${errors} errors of ${taken.errors}`);
  }
  if (isWhole ? !isSame(stored.customers, taken.customers) : !isWithin(stored, taken)) {
    fail(`${name}: customers differ from those of a clean run`);
  }
}

function judgeAgent(
  name: string,
  judged: {
    readonly stored: ReadonlyMap<string, Stored>;
    readonly ledger: LedgerReport;
    readonly oracle: Oracle;
    readonly options: JudgeOptions;
  },
): void {
  const { stored, ledger, oracle, options } = judged;
  const taken = [...oracle.taken].filter(([, { agent }]) => agent === name);
  const missingOf = ([key, { spans }]: readonly [string, Taken]): number =>
    spans - (stored.get(key)?.spans ?? 0);
  const streams = ledger.streams.filter(({ agent }) => agent === name);
  const lost = sum(streams, ({ lostSpans }) => lostSpans);
  const missing = sum(taken, missingOf);
  // Taken by the collector, but for windows that are too far from its own time.
  const aside = sum(streams, ({ asideSpans }) => asideSpans);
  const atRisk = sum(taken, ([, each]) => each.atRisk);
  const applied = sum(streams, ({ appliedSpans }) => appliedSpans) - aside;
  const here = sum(taken, ([key]) => stored.get(key)?.spans ?? 0);
  if (applied !== here) {
    options.fail(`${name}: ${applied} spans are applied, ${here} are stored`);
  }
  if (lost + aside > missing) {
    options.fail(
      `${name}: ${lost} spans are declared lost and ${aside} put aside, only ${missing} are missing`,
    );
  }
  if (missing > lost + aside + atRisk) {
    options.fail(
      `${name}: undeclared loss, ${missing} spans are missing, ${lost} declared lost, ` +
        `${aside} put aside, ${atRisk} were in memory at a kill`,
    );
  }
  if (!options.clocksJump) judgeWindows(name, taken, missingOf, judged);
}

interface WindowLoss {
  missing: number;
  atRisk: number;
  untoldAtRisk: number;
}

/** No window may miss more than was declared of it, or was in memory when the agent was killed. */
function judgeWindows(
  name: string,
  taken: readonly (readonly [string, Taken])[],
  missingOf: (each: readonly [string, Taken]) => number,
  { ledger, oracle, options }: Omit<Parameters<typeof judgeAgent>[1], "stored">,
): void {
  const own = new Set(
    ledger.streams.filter(({ agent }) => agent === name).map(({ streamId }) => streamId),
  );
  const declared = declaredByWindow(oracle, own);
  const gaps = [...oracle.gaps.values()].filter(({ streamId }) => own.has(streamId));
  for (const [windowStartMs, loss] of lossByWindow(taken, missingOf)) {
    const excused = (declared.get(windowStartMs) ?? 0) + loss.atRisk;
    if (loss.missing > excused) {
      options.fail(
        `${name}: undeclared loss in window ${windowStartMs}: ${loss.missing} spans are missing, ` +
          `${excused} are excused`,
      );
    }
    const silent = loss.missing - (declared.get(windowStartMs) ?? 0) - loss.untoldAtRisk;
    const endMs = windowStartMs + simWindowMs;
    const isTold = gaps.some(
      ({ gapFromMs, gapToMs }) => gapFromMs < endMs && gapToMs > windowStartMs,
    );
    // A gap that was itself given up for want of room tells nothing any more.
    if (silent > 0 && !isTold && !declared.has(0)) {
      options.fail(
        `${name}: a kill took ${silent} spans of window ${windowStartMs}, no gap says so`,
      );
    }
  }
}

/** Spans that tombstones declare lost, by window; of records that are no windows, under 0. */
function declaredByWindow(oracle: Oracle, streams: ReadonlySet<string>): Map<number, number> {
  const declared = new Map<number, number>();
  const seen = new Set<string>();
  for (const { streamId, lost } of oracle.tombstones.values()) {
    if (!streams.has(streamId)) continue;
    for (const { seq, spans, windowStartMs } of lost) {
      if (seen.has(`${streamId} ${seq}`)) continue;
      seen.add(`${streamId} ${seq}`);
      declared.set(windowStartMs, (declared.get(windowStartMs) ?? 0) + spans);
    }
  }
  return declared;
}

/** In order of time. */
function lossByWindow(
  taken: readonly (readonly [string, Taken])[],
  missingOf: (each: readonly [string, Taken]) => number,
): (readonly [number, WindowLoss])[] {
  const windows = new Map<number, WindowLoss>();
  for (const each of taken) {
    const { windowStartMs, atRisk, untoldAtRisk } = each[1];
    const window = windows.get(windowStartMs) ?? { missing: 0, atRisk: 0, untoldAtRisk: 0 };
    window.missing += missingOf(each);
    window.atRisk += atRisk;
    window.untoldAtRisk += untoldAtRisk;
    windows.set(windowStartMs, window);
  }
  return [...windows].sort(([a], [b]) => a - b);
}

function judgeLedger(ledger: LedgerReport, fail: JudgeOptions["fail"]): void {
  for (const stream of ledger.streams) {
    const { streamId, agent, missing, accounted, appliedSpans, lostSpans, streamSpans } = stream;
    // Of a number used twice, before a kill and after it, the ledger says that sums mean nothing.
    const isSummed = stream.forks === 0 && appliedSpans + lostSpans !== streamSpans;
    if (missing === 0 && (!accounted || isSummed)) {
      fail(
        `${agent}: stream ${streamId} is complete and not accounted for: applied ` +
          `${appliedSpans}, lost ${lostSpans}, sealed ${streamSpans}`,
      );
    }
  }
}

/** Equal bytes, so equal registers. */
function isSame(a: Hll, b: Hll): boolean {
  return Buffer.compare(bytesOf(a), bytesOf(b)) === 0;
}

/** Whether the customers of some spans are among those of all. */
function isWithin(part: Tally, whole: Tally): boolean {
  const union = copyHll(whole.customers);
  mergeHll(union, part.customers);
  return isSame(union, whole.customers);
}

function bytesOf(hll: Hll): Uint8Array {
  const writer = createByteWriter();
  encodeHll(writer, hll);
  return writer.finish();
}

function sum<T>(values: readonly T[], of: (value: T) => number): number {
  return values.reduce((total, value) => total + of(value), 0);
}

/** Streams whose sets of numbers outgrew their bound. */
export function judgeIntervals(core: CollectorCore, fail: JudgeOptions["fail"]): void {
  for (const { id, intervals } of core.streams.values()) {
    if (intervals.length > intervalsMax) {
      fail(`stream ${id} has ${intervals.length} intervals, more than ${intervalsMax}`);
    }
  }
}
