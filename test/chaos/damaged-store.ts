/** A store with a bit of everything in it, on a disk in memory, and what it must give back. */

import { createPrng } from "../../base/prng.ts";
import { payloadAt, recordSizeAt } from "../../base/records.ts";
import { decodeCells } from "../../collector/store/blocks.ts";
import { decodeRecord } from "../../collector/store/segment-file.ts";
import { createFileStore, type Store } from "../../collector/store/store.ts";
import { MemoryDisk } from "../collector/memory-disk.ts";
import { cellsOf, segmentOf } from "../collector/store-fixture.ts";

/** A part of a file that is read or lost as a whole, and what it holds. */
export interface Unit {
  readonly path: string;
  readonly start: number;
  readonly end: number;
  /** Names of what only this record holds. */
  readonly holds: readonly string[];
}

export interface Truth {
  readonly disk: MemoryDisk;
  readonly units: readonly Unit[];
  /** What is stored, by name; the text stands for the whole value. */
  readonly values: ReadonlyMap<string, string>;
  /** Whether this value was ever stored under this name. */
  readonly isEver: (name: string, value: string) => boolean;
}

export interface ReadBack {
  readonly values: Map<string, string>;
  /** Values that came twice or that a restart could give another meaning. */
  wrong: number;
  /** How often the store said that something is damaged. */
  damaged: number;
}

const minuteMs = 60_000;
const baseMs = 500_000 * 60 * minuteMs;
const windows = 7;
const keysEach = 560;
const closings = 90;
const eventsEach = 50;
const batchesEach = 12;
const generations = 4;
const deciderClosings = [60, 80, 90];
const directory = "data";

export async function createTruth(seed: number): Promise<Truth> {
  const disk = new MemoryDisk();
  const prng = createPrng(seed);
  const applied = new Set<number>();
  const store = await openOn(disk, {
    state: () => Buffer.from(JSON.stringify([...applied])),
  });
  let number = 0;
  for (let generation = 0; generation < generations; generation++) {
    const window = { startMs: windowOf(generation), lengthMs: 10_000 };
    for (let batch = 0; batch < batchesEach; batch++) {
      number++;
      const text = JSON.stringify({ number, noise: String(prng.next()).repeat(prng.integer(40)) });
      await store.append({ bytes: Buffer.from(text), receivedMs: 1, window }, () => {
        applied.add(number);
      });
    }
    if (generation === generations - 1) break;
    // Its window is closed, so only the newest of these files stays: for what it knows.
    const { lsn } = store;
    await store.writeSegment(segmentOf({ startMs: window.startMs, spans: [{}], lsn }));
    await store.rotateLog();
  }
  await fillWindows(store);
  for (let closing = 1; closing <= closings; closing++) {
    await store.appendEvents(
      closing,
      Array.from({ length: eventsEach }, () => eventOf(closing)),
    );
  }
  for (const closing of deciderClosings) await store.saveDecider(stateOf(closing));
  await store.close();
  const { values } = await readBack(disk.copy());
  const counts = {
    batch: 2 * batchesEach,
    had: generations * batchesEach,
    cell: windows * keysEach + 1,
  };
  for (const [kind, count] of Object.entries(counts)) {
    const found = [...values.keys()].filter((name) => name.startsWith(`${kind} `)).length;
    if (found < count) throw new Error(`of ${count} ${kind}s only ${found} are read back`);
  }
  return { disk, values, units: unitsOf(disk), isEver: isEverOf(values) };
}

/** Older events and an older state are not wanted any more, but they are no wrong ones. */
function isEverOf(values: ReadonlyMap<string, string>): Truth["isEver"] {
  const older = new Map<string, string>();
  for (let seq = 1; seq <= closings * eventsEach; seq++) {
    const event = { ...eventOf(Math.ceil(seq / eventsEach)), seq };
    older.set(`event ${seq}`, JSON.stringify(event));
  }
  const [first, second] = deciderClosings
    .slice(-2)
    .map((closing) => JSON.stringify(stateOf(closing)));
  const epoch = values.get("next event")?.split(" ")[0];
  return (name, value) => {
    if (name === "decider") return value === first || value === second || value === "null";
    // Under another epoch every number may come again.
    if (name === "next event") return value === values.get(name) || value.split(" ")[0] !== epoch;
    return value === (values.get(name) ?? older.get(name));
  };
}

function stateOf(closing: number) {
  return { closing, snapshot: { learned: closing } };
}

/** Start of the window that the batches of a log file go into. */
function windowOf(generation: number): number {
  return baseMs + (30 + generation) * minuteMs;
}

async function fillWindows(store: Store): Promise<void> {
  for (let at = 0; at < windows; at++) {
    const spans = Array.from({ length: keysEach }, (_, key) => ({
      service: `service-${key % 20}`,
      operation: `operation-${key}`,
      ms: at + 1,
      failed: key % 5 === at % 5,
      customer: key,
    }));
    await store.writeSegment(segmentOf({ startMs: baseMs + at * 10_000, spans, lsn: 1 }));
  }
  const minute = { startMs: baseMs, lengthMs: minuteMs, spans: [{ service: "away" }], lsn: 1 };
  await store.writeSegment(segmentOf(minute));
  for (const afterMs of [12, 14]) await store.maintain(baseMs + (2 + afterMs) * minuteMs);
}

function eventOf(closing: number) {
  return {
    type: "window.closed",
    atMs: closing,
    window: {
      windowStartMs: closing * 10_000,
      ...{ spans: closing, errors: 0, keys: 1, anomalies: 0 },
      ...{ coverage: 1, silentAgents: 0, revised: false },
    },
  } as const;
}

interface Opening {
  readonly state: () => Uint8Array;
  readonly head?: (state: Uint8Array) => void;
  readonly batch?: (text: string) => void;
  readonly corrupt?: (records: number) => void;
}

async function openOn(disk: MemoryDisk, opening: Opening): Promise<Store> {
  const store = createFileStore({ directory, disk });
  await store.recover(
    {
      head: (state) => opening.head?.(state),
      batch: ({ bytes, lsn, window }) => {
        opening.batch?.(`${lsn} ${Buffer.from(bytes).toString()}`);
        return window;
      },
      corrupt: (records) => opening.corrupt?.(records),
    },
    opening.state,
  );
  return store;
}

/** Opens the store on a disk and reads everything; then it has to be of use. */
export async function readBack(disk: MemoryDisk): Promise<ReadBack> {
  const found: ReadBack = { values: new Map(), wrong: 0, damaged: 0 };
  const take = (name: string, value: string): void => {
    if (found.values.has(name)) found.wrong++;
    found.values.set(name, value);
  };
  let known = new Set<number>();
  const store = await openOn(disk, {
    state: () => Buffer.from(JSON.stringify([...known])),
    head: (state) => {
      known = new Set(JSON.parse(Buffer.from(state).toString()) as number[]);
    },
    batch: (text) => {
      const { number } = JSON.parse(text.slice(text.indexOf(" "))) as { number: number };
      known.add(number);
      take(`batch ${number}`, text);
    },
    corrupt: (records) => {
      found.damaged += records;
    },
  });
  for (const number of known) take(`had ${number}`, "");
  // Reading finds damage, and what is merged from windows that are there is merged again.
  await readMerged(store, () => undefined);
  for (const afterMs of [30, 31, 32]) await store.maintain(baseMs + afterMs * minuteMs);
  await readReceived(store, take);
  await readMerged(store, take);
  for (const event of store.events.ring) take(`event ${event.seq}`, JSON.stringify(event));
  take("next event", `${store.events.epoch} ${store.events.nextSeq}`);
  const decider = await store.loadDecider();
  take("decider", JSON.stringify(decider ?? null));
  await goOn(store);
  return found;
}

async function readReceived(
  store: Store,
  take: (name: string, value: string) => void,
): Promise<void> {
  const received = [
    ...Array.from({ length: windows }, (_, at) => [baseMs + at * 10_000, 10_000] as const),
    [baseMs, minuteMs] as const,
    ...Array.from({ length: generations - 1 }, (_, at) => [windowOf(at), 10_000] as const),
  ];
  for (const [startMs, lengthMs] of received) {
    const stored = await store.readSegment(startMs, lengthMs);
    if (!stored.ok) continue;
    const name = `${lengthMs}/${startMs}`;
    take(`meta ${name}`, JSON.stringify(stored.value.meta.summary));
    for (const [key, cell] of cellsOf(stored.value.contents.cube))
      take(`cell ${name} ${key}`, cell);
  }
}

async function readMerged(
  store: Store,
  take: (name: string, value: string) => void,
): Promise<void> {
  for (let startMs = baseMs; startMs < baseMs + 2 * minuteMs; startMs += minuteMs) {
    for (const window of store.windowsOf({ fromMs: startMs, toMs: startMs + minuteMs })) {
      const { meta, segments } = window;
      if (segments.source !== "merged") continue;
      const name = `merged ${meta.summary.windowStartMs}`;
      take(`meta ${name}`, JSON.stringify(meta.summary));
      for await (const cube of store.scan(window, [])) {
        for (const [key, cell] of cellsOf(cube)) take(`cell ${name} ${key}`, cell);
      }
      // The scan reads what it needs; all of it is looked at as well.
      await segments.read(meta.summary.windowStartMs);
    }
  }
}

/** Whatever was damaged, new data is taken and kept. */
async function goOn(store: Store): Promise<void> {
  const window = { startMs: baseMs + 40 * minuteMs, lengthMs: 10_000 };
  const lsn = await new Promise<number>((resolve, reject) => {
    store.append({ bytes: Buffer.from("new"), receivedMs: 2, window }, resolve).catch(reject);
  });
  await store.writeSegment(segmentOf({ startMs: window.startMs, spans: [{}], lsn }));
  const read = await store.readSegment(window.startMs);
  if (!read.ok) throw new Error(`the store is of no use any more: ${read.error.message}`);
  await store.close();
}

/** Which record holds which values. What is in none of them has to survive any one of them. */
function unitsOf(disk: MemoryDisk): Unit[] {
  const units: Unit[] = [];
  for (const [path, bytes] of disk.files) {
    for (let start = 0; start < bytes.length; ) {
      const payload = payloadAt(bytes, start);
      if (payload === undefined) throw new Error(`${path} has no record at ${start}`);
      const end = start + recordSizeAt(bytes, start);
      units.push({ path, start, end, holds: heldBy(path, payload) });
      start = end;
    }
  }
  return units;
}

function heldBy(path: string, payload: Uint8Array): string[] {
  if (path.startsWith(`${directory}/log/`)) return numbersIn(payload, /"number":(\d+)/);
  if (path.startsWith(`${directory}/events/`)) {
    const { events } = JSON.parse(Buffer.from(payload).toString()) as { events: { seq: number }[] };
    return events.map(({ seq }) => `event ${seq}`);
  }
  if (path.endsWith(`/decider-${deciderClosings.at(-1)}`)) return ["decider"];
  return path.includes("-received/") && path.endsWith(".window") ? cellsIn(payload) : [];
}

function numbersIn(payload: Uint8Array, pattern: RegExp): string[] {
  const number = pattern.exec(Buffer.from(payload).toString("latin1"))?.[1];
  return number === undefined ? [] : [`batch ${number}`, `had ${number}`];
}

function cellsIn(payload: Uint8Array): string[] {
  const record = decodeRecord(payload);
  if (record?.kind !== "keys") return [];
  const { summary, windowEndMs } = record.meta;
  const name = `${windowEndMs - summary.windowStartMs}/${summary.windowStartMs}`;
  const cells = decodeCells(record.body);
  return cells.ok ? [...cellsOf(cells.value.cube).keys()].map((key) => `cell ${name} ${key}`) : [];
}
