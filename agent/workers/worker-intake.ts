/**
 * What one worker hands on, taken into the windows and the memory of its parent: rows under the
 * parent's key ids, cells merged into those of the same window.
 *
 * A row is always here before its cell is, and the cell before the parent seals the window, so no
 * cell has more self times than spans. When a worker ends, its rows whose cells never came stay
 * where others can find them as parents and callers, but say nothing of themselves.
 */
import { createByteReader } from "../../base/bytes.ts";
import { assert } from "../../base/errors.ts";
import type { Counter, Meter } from "../../base/meter.ts";
import type { CellTable } from "../../sketch/cell-table.ts";
import { decodeCube } from "../../sketch/cube-codec.ts";
import { mergeHll } from "../../sketch/hll.ts";
import { decodeHll } from "../../sketch/hll-codec.ts";
import { type CompositeKey, isMetricKey, type KeyId, keyOf, noKey } from "../../sketch/key.ts";
import type { BatchMaker } from "../batch-maker.ts";
import { emptyRow } from "../pairing/remembered-span.ts";
import { flagsColumn, segmentColumn } from "../pairing/span-rows.ts";
import { reducerMetrics, workerSpansLost } from "../reduce/reducer-metrics.ts";
import { admitKey, countFolded, type Segment } from "../windows/segment.ts";
import type { RowsMessage, SealedMessage, SegmentKeys } from "./messages.ts";
import { linkWords, rowTimes, rowWords } from "./row-log.ts";

/** Above the flags of a span: which worker took it. */
const ownerShift = 9;
export const ownersMax = 64;
const ownerMask = ownersMax - 1;

/** A segment of the worker's whose cells have not come yet. */
interface OpenSegment {
  readonly windowStartMs: number;
  readonly keys: CompositeKey[];
  /** The parent's segment of that window, and the ids the keys have there. */
  home: Segment | undefined;
  ids: KeyId[];
}

export class WorkerIntake {
  readonly #batches: BatchMaker;
  readonly #owner: number;
  readonly #metrics: ReturnType<typeof reducerMetrics>;
  readonly #spansLost: Counter;
  readonly #metricsDropped: Counter;
  readonly #open = new Map<number, OpenSegment>();
  readonly #row = emptyRow();

  constructor(batches: BatchMaker, settings: { owner: number; meter: Meter }) {
    assert(settings.owner < ownersMax, `there are at most ${ownersMax} workers`);
    this.#batches = batches;
    this.#owner = settings.owner;
    this.#metrics = reducerMetrics(settings.meter);
    this.#spansLost = workerSpansLost(settings.meter);
    this.#metricsDropped = settings.meter.counter(
      "brunt_agent_worker_metrics_dropped_total",
      "Metrics of workers that found no room in the window of their parent.",
    );
  }

  addRows({ segments, words, times, links }: RowsMessage): void {
    for (const keys of segments) this.#learn(keys);
    const { memory } = this.#batches;
    const row = this.#row;
    let link = 0;
    for (let index = 0; index * rowWords < words.length; index++) {
      const at = index * rowWords;
      const open = this.#open.get(words[at + 7] as number);
      assert(open !== undefined, "a row's segment has been announced");
      row.idHigh = words[at] as number;
      row.idLow = words[at + 1] as number;
      row.parentHigh = words[at + 2] as number;
      row.parentLow = words[at + 3] as number;
      row.trace = words[at + 4] as number;
      row.process = words[at + 5] as number;
      row.key = this.#idOf(open, words[at + 6] as number);
      row.segment = (open.home as Segment).id;
      row.flags = (words[at + 8] as number) | (this.#owner << ownerShift);
      row.startNs = times[index * rowTimes] as number;
      row.durationNs = times[index * rowTimes + 1] as number;
      const outcome = memory.remember(row);
      if (outcome === "repeated") this.#metrics.repeated.add();
      else if (outcome === "full") this.#metrics.unremembered.add();
      for (; links[link * linkWords] === index; link++) {
        if (outcome === "kept") this.#link(links, link * linkWords);
      }
    }
    memory.linkNew();
  }

  /** Merges the cells of a segment, which is closed with that. */
  addSealed(sealed: SealedMessage): void {
    const home = this.#homeOf(sealed.windowStartMs);
    const limits = { keysMax: Number.MAX_SAFE_INTEGER, edgesMax: 0 };
    const decoded = decodeCube(createByteReader(sealed.cube), limits);
    assert(decoded.ok, "a worker's cube can be read");
    const cube = decoded.value;
    assert(
      home.thresholds.revision === sealed.thresholdsRevision,
      "all workers take the same thresholds for a window",
    );
    const { cells } = home.cube;
    for (let row = 0; row < cube.cells.size; row++) {
      const key = keyOf(cube.keys, cube.cells.keyOf(row));
      if (isMetricKey(key)) {
        this.#addMetric(home, key, { cells: cube.cells, row });
        continue;
      }
      const admission = admitKey(home, key);
      cells.merge(cells.rowFor(admission.key), cube.cells, row);
      if (admission.folded === 0) continue;
      const count = cube.cells.countOf(row);
      this.#metrics.folded.add(count);
      countFolded(home, admission.folded, count);
    }
    mergeHll(home.demand, decodeHll(createByteReader(sealed.demand)));
    for (const [dimension, spans] of sealed.foldedSpans.entries()) {
      home.foldedSpans[dimension] = (home.foldedSpans[dimension] as number) + spans;
    }
    for (const service of sealed.localServices) home.localServices.add(service);
    home.spans += sealed.spans;
    home.errors += sealed.errors;
    home.late += sealed.late;
    this.#open.delete(sealed.segment);
  }

  /** Workers together may have more metrics than their parent has room for. */
  #addMetric(home: Segment, key: CompositeKey, from: { cells: CellTable; row: number }): void {
    const id = home.admission.admitMetric(key);
    if (id === noKey) this.#metricsDropped.add();
    else home.cube.cells.merge(home.cube.cells.rowFor(id), from.cells, from.row);
  }

  /** The worker has ended; gives how many spans are lost with it, `waiting` rows among them. */
  lose(waiting: number): number {
    const { memory, windows } = this.#batches;
    const shadows = new Map<number, number>();
    for (const { home } of this.#open.values()) {
      if (home !== undefined) shadows.set(home.id, windows.createShadow(home));
    }
    this.#open.clear();
    const { rows } = memory;
    let lost = waiting;
    for (let row = 0; row < memory.size; row++) {
      const shadow = shadows.get(rows.word(row, segmentColumn));
      const owner = (rows.word(row, flagsColumn) >> ownerShift) & ownerMask;
      if (shadow === undefined || owner !== this.#owner) continue;
      memory.moveToSegment(row, shadow);
      lost++;
    }
    this.#spansLost.add(lost);
    return lost;
  }

  #learn({ segment, windowStartMs, first, keys }: SegmentKeys): void {
    let open = this.#open.get(segment);
    if (open === undefined) {
      open = { windowStartMs, keys: [], home: undefined, ids: [] };
      this.#open.set(segment, open);
    }
    assert(open.keys.length === first, "keys are told in the order of their ids");
    open.keys.push(...keys);
  }

  /** The id a worker's key has in the parent's segment of the same window. */
  #idOf(open: OpenSegment, key: KeyId): KeyId {
    const known = open.ids[key];
    if (known !== undefined) return known;
    open.home ??= this.#homeOf(open.windowStartMs);
    const { home } = open;
    const id = admitKey(home, open.keys[key] as CompositeKey).key;
    open.ids[key] = id;
    return id;
  }

  #homeOf(windowStartMs: number): Segment {
    const home = this.#batches.windows.segmentAt(windowStartMs);
    assert(home !== undefined, "workers together open no more late windows than their parent may");
    return home;
  }

  #link(links: Uint32Array, at: number): void {
    const idHigh = links[at + 1] as number;
    const idLow = links[at + 2] as number;
    if (!this.#batches.memory.link(idHigh, idLow, links[at + 3] as number)) {
      this.#metrics.linksDropped.add();
    }
  }
}
