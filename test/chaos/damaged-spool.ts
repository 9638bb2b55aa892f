/**
 * The agent's side of R6: a spool with a backlog is damaged while the collector is away, half of
 * the times under a process that runs, half of the times before the next one starts. Then the
 * collector is back, and gets what is left.
 *
 *   undetected   records that were changed without a word
 *   wrong        windows that are not what they were, or come twice, or are declared lost as well
 *   undeclared   spans that are neither applied nor declared lost, nor in a gap
 *   lost         of the records that no fault touched, how many did not come
 *   useless      faults after which the spool does not become empty, or nothing new comes
 */

import { decodeSpoolPayload } from "../../agent/spool/spool-record.ts";
import { createPrng, type Prng } from "../../base/prng.ts";
import { payloadAt, recordSizeAt } from "../../base/records.ts";
import { decodeSketchBatch, encodeSketchBatch, type WindowBatch } from "../../wire/sketch-batch.ts";
import type { MemoryDisk } from "../spool/memory-disk.ts";
import { type Rig, startRig } from "../spool/rig.ts";
import {
  type Damage,
  type Fault,
  type FaultCounts,
  type Files,
  faultsOf,
} from "./storage-faults.ts";

export interface SpoolVerdict {
  readonly n: number;
  readonly undetected: number;
  readonly wrong: number;
  readonly undeclared: number;
  readonly useless: number;
  readonly records: number;
  readonly lost: number;
}

/** A window record of the backlog. */
interface Unit {
  readonly path: string;
  readonly start: number;
  readonly end: number;
  readonly windowStartMs: number;
  readonly spans: number;
  /** Its bytes under no name. */
  readonly content: string;
}

/** Small, so that there are several files. */
const spoolBytesMax = 65_536;
const windowsTaken = 3;
/** Less than the ten minutes after which windows are made coarser. */
const windowsAway = 50;
const backSeconds = 120;
const newSpans = 5;
const windowMs = 10_000;

export async function damageSpools(counts: FaultCounts, seed: number): Promise<SpoolVerdict> {
  const sum = { n: 0, undetected: 0, wrong: 0, undeclared: 0, useless: 0, records: 0, lost: 0 };
  const { disk } = await startBacklog(createPrng(seed));
  for (const fault of faultsOf(counts, disk.spoolFiles())) {
    const judged = await judgeFault(fault, { seed, index: sum.n });
    sum.n++;
    sum.undetected += judged.undetected;
    sum.wrong += judged.wrong;
    sum.undeclared += judged.undeclared;
    sum.useless += judged.useless;
    sum.records += judged.records;
    sum.lost += judged.lost;
    if (judged.says !== "") process.stderr.write(`spool ${sum.n}: ${judged.says}\n`);
  }
  return sum;
}

/** An agent with windows that the collector has, and more that it has not. */
async function startBacklog(prng: Prng): Promise<Rig> {
  const rig = await startRig({ spoolBytesMax });
  for (let window = 0; window < windowsTaken; window++) await rig.window(6 + prng.integer(6));
  await rig.pass(6);
  rig.collector.isAway = true;
  for (let window = 0; window < windowsAway; window++) await rig.window(6 + prng.integer(6));
  await rig.pass(6);
  return rig;
}

interface Judged extends SpoolVerdict {
  readonly says: string;
}

async function judgeFault(
  fault: Fault,
  { seed, index }: { readonly seed: number; readonly index: number },
): Promise<Judged> {
  const rig = await startBacklog(createPrng(seed));
  const prng = createPrng(seed * 7_919 + index);
  const backlog = backlogOf(rig.disk);
  const damage = befall(rig.disk, (files) => fault(files, prng));
  // Where a file is a process knows from its start.
  const isRunning = damage.how !== "renamed" && prng.integer(2) === 0;
  if (!isRunning) await rig.restart();
  const corrupt = corruptOf(rig);
  rig.collector.isAway = false;
  await rig.pass(backSeconds);
  const newMs = rig.clock.nowMs();
  await rig.window(newSpans);
  await rig.pass(10);
  // Nothing may come again because of another start.
  await rig.restart();
  await rig.pass(backSeconds);
  const verdict = compare(rig, backlog.units, damage);
  const isSeen = isRunning || corrupt > 0 || !isToBeSeen(backlog, damage);
  const isOfUse =
    rig.ledger.spool.records === 0 &&
    appliedOf(rig).some((batch) => batch.cube.windowStartMs >= newMs - 10_000);
  const judged = {
    ...verdict,
    n: 1,
    undetected: isSeen ? 0 : 1,
    useless: isOfUse ? 0 : 1,
  };
  const { wrong, undeclared, lost, undetected, useless } = judged;
  const isWell = wrong + undeclared + lost + undetected + useless === 0;
  const { how, path, start, end } = damage;
  const where = `${how} ${path} ${start}-${end}${isRunning ? ", running" : ""}`;
  return {
    ...judged,
    says: isWell ? "" : `${where}: ${JSON.stringify(judged)}`,
  };
}

/** Lets a fault change the files of a disk, where they are. */
function befall(disk: MemoryDisk, fault: (files: Files) => Damage): Damage {
  const files: Files = new Map(
    disk.spoolFiles().map((path) => [path, disk.files.get(path)?.bytes.slice() ?? noBytes]),
  );
  const damage = fault(files);
  for (const path of disk.spoolFiles()) if (!files.has(path)) disk.files.delete(path);
  for (const [path, bytes] of files) {
    if (disk.files.has(path)) disk.damage(path, () => bytes);
    else disk.files.set(path, { bytes, synced: bytes });
  }
  return damage;
}

const noBytes = new Uint8Array(0);

/** What is changed within a file is to be counted, unless it is the end of all that was written. */
function isToBeSeen({ newest }: Backlog, { how, path, start }: Damage): boolean {
  return how === "changed" && !(path === newest.path && start >= newest.start);
}

interface Backlog {
  readonly units: readonly Unit[];
  /** The last record that was written. */
  readonly newest: { readonly path: string; readonly start: number };
}

function backlogOf(disk: MemoryDisk): Backlog {
  const units: Unit[] = [];
  let newest = { path: "", start: 0 };
  for (const path of disk.spoolFiles()) {
    const bytes = disk.files.get(path)?.bytes ?? noBytes;
    for (let start = 0; start < bytes.length; ) {
      const payload = payloadAt(bytes, start);
      if (payload === undefined) throw new Error(`${path} has no record at ${start}`);
      const end = start + recordSizeAt(bytes, start);
      const decoded = decodeSpoolPayload(payload);
      if (decoded?.type === "record" && decoded.facts.kind === "window") {
        const { spans, windowStartMs } = decoded.facts;
        const content = contentOf(windowIn(decoded.batch));
        units.push({ path, start, end, windowStartMs, spans, content });
      }
      newest = { path, start };
      start = end;
    }
  }
  return { units, newest };
}

function windowIn(bytes: Uint8Array): WindowBatch {
  const decoded = decodeSketchBatch(bytes);
  if (!decoded.ok || decoded.value.kind !== "window") throw new Error("a record has no window");
  return decoded.value;
}

/** The bytes of a window whatever its stream and number. */
function contentOf(batch: WindowBatch): string {
  const anonymous = { ...batch, streamId: "0".repeat(32), seq: 1, streamSpans: 0 };
  return Buffer.from(encodeSketchBatch(anonymous)).toString("base64");
}

/** The windows the collector has applied, each as often as it was under a name of its own. */
function appliedOf({ collector }: Rig): readonly WindowBatch[] {
  const byName = new Map<string, WindowBatch>();
  for (const batch of collector.heard) {
    const name = `${batch.streamId} ${batch.seq}`;
    if (batch.kind === "window" && !byName.has(name)) byName.set(name, batch);
  }
  return [...byName.values()];
}

/** What the collector has in the end, beside what there was. */
function compare(rig: Rig, units: readonly Unit[], { path, start, end }: Damage) {
  const contents = new Map(units.map((unit) => [unit.windowStartMs, unit.content]));
  const lastMs = Math.max(...contents.keys());
  const applied = new Set<number>();
  let wrong = 0;
  for (const batch of appliedOf(rig)) {
    const { windowStartMs } = batch.cube;
    if (windowStartMs > lastMs) continue;
    if (applied.has(windowStartMs) || contents.get(windowStartMs) !== contentOf(batch)) wrong++;
    applied.add(windowStartMs);
  }
  const gone = units.filter(({ windowStartMs }) => !applied.has(windowStartMs));
  const gaps = [...rig.collector.streams.values()].flatMap((stream) => stream.gaps);
  const unsaid = gone.filter(
    ({ windowStartMs }) =>
      !gaps.some(([from, to]) => windowStartMs < to && windowStartMs + windowMs > from),
  );
  const declared = rig.collector.totals.lost;
  const isWhole = (unit: Unit): boolean =>
    unit.path !== path || unit.end <= start || unit.start >= end;
  return {
    wrong: wrong + (declared > spansOf(gone) ? 1 : 0),
    undeclared: Math.max(0, spansOf(unsaid) - declared),
    records: units.filter(isWhole).length,
    lost: gone.filter(isWhole).length,
  };
}

function spansOf(units: readonly Unit[]): number {
  return units.reduce((sum, { spans }) => sum + spans, 0);
}

/** How often the agent has said that a place of its spool cannot be read. */
function corruptOf({ meter }: Rig): number {
  return meter.counter("brunt_agent_spool_corrupt_total", "").value;
}
