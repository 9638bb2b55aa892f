/**
 * Merges stored windows into one coarser window, block by block, so that memory holds a block of
 * each at a time whatever their size. Counts, histograms and customers add up exactly, so the
 * outcome is what one window of that length would have held.
 *
 * Above `keysMax` keys the last dimensions are folded for all of them and the merge starts over:
 * first the users' dimensions, then from the version, from the far side, from the operation on.
 */
import {
  builtInDimensions,
  type CompositeKey,
  compareKeys,
  dimensionsMax,
  type KeyId,
  keyOf,
  overflowValue,
} from "../../sketch/key.ts";
import {
  type Block,
  blockKeysMax,
  type CellRow,
  decodeCells,
  decodeEdges,
  type EdgeRow,
  encodeCells,
  encodeEdges,
} from "./blocks.ts";
import { type Entry, type EntrySource, mergeSorted } from "./merge-sorted.ts";
import type { Segments } from "./segments.ts";

export interface MergePart {
  readonly segments: Segments;
  readonly startMs: number;
  readonly hashKeyId: string;
}

export interface Merged {
  readonly blocks: readonly Block[];
  readonly keys: number;
  readonly spans: number;
  readonly errors: number;
  /** Spans whose key lost dimensions because there were too many keys. */
  readonly foldedSpans: number;
}

/** From which dimension on keys are folded, tried in this order; the service never is. */
const foldSteps = [
  dimensionsMax,
  builtInDimensions.length,
  builtInDimensions.indexOf("service.version"),
  builtInDimensions.indexOf("peer"),
  builtInDimensions.indexOf("operation"),
] as const;

/** Customers are those of `hashKeyId`: registers under another key say nothing about them. */
export async function mergeWindows(
  parts: readonly MergePart[],
  options: { readonly hashKeyId: string; readonly keysMax: number },
): Promise<Merged> {
  const dimensions = await dimensionsOf(parts);
  const [whole, ...folds] = foldSteps;
  const steps = [whole, ...folds.filter((foldFrom) => foldFrom < dimensions.length)];
  for (const foldFrom of steps) {
    const keysMax = foldFrom === steps.at(-1) ? Number.POSITIVE_INFINITY : options.keysMax;
    const merge = new Merge(parts, { dimensions, foldFrom, hashKeyId: options.hashKeyId });
    const merged = await merge.run(keysMax);
    if (merged !== undefined) return merged;
  }
  throw new Error("the last step takes every key");
}

/** The built-in dimensions, then the users' of all parts, sorted. */
async function dimensionsOf(parts: readonly MergePart[]): Promise<readonly string[]> {
  const builtIn = new Set<string>(builtInDimensions);
  const users = new Set<string>();
  for (const { segments, startMs } of parts) {
    for await (const bytes of segments.blocks(startMs, { kind: "keys", prefix: [] })) {
      const decoded = decodeCells(bytes);
      if (!decoded.ok) continue;
      for (const name of decoded.value.cube.keys.dimensions) {
        if (!builtIn.has(name)) users.add(name);
      }
      break;
    }
  }
  return [...builtInDimensions, ...[...users].sort()].slice(0, dimensionsMax);
}

interface MergeTarget {
  readonly dimensions: readonly string[];
  readonly foldFrom: number;
  readonly hashKeyId: string;
}

class Merge {
  readonly #parts: readonly MergePart[];
  readonly #target: MergeTarget;
  readonly #blocks: Block[] = [];
  #keys = 0;
  #spans = 0;
  #errors = 0;

  constructor(parts: readonly MergePart[], target: MergeTarget) {
    this.#parts = parts;
    this.#target = target;
  }

  /** Undefined when there are more than `keysMax` keys. */
  async run(keysMax: number): Promise<Merged | undefined> {
    const { dimensions, foldFrom } = this.#target;
    let cells: Entry<CellRow[]>[] = [];
    const flush = (): void => {
      if (cells.length === 0) return;
      const keyed = cells.map(({ key, value }) => ({ key, rows: value }));
      this.#blocks.push(encodeCells(dimensions, keyed, this.#keys - cells.length));
      cells = [];
    };
    const finished = await mergeSorted({
      sources: this.#parts.map((part) => this.#cellsOf(part)),
      merge: join,
      emit: (entry) => {
        cells.push(entry);
        this.#keys++;
        for (const { cells: from, row } of entry.value) {
          this.#spans += from.countOf(row);
          this.#errors += from.errorsOf(row);
        }
        if (cells.length === blockKeysMax) flush();
        return this.#keys <= keysMax;
      },
    });
    if (!finished) return undefined;
    flush();
    await this.#runEdges();
    const foldedSpans = foldFrom < dimensions.length ? this.#spans : 0;
    const [keys, spans, errors] = [this.#keys, this.#spans, this.#errors];
    return { blocks: this.#blocks, keys, spans, errors, foldedSpans };
  }

  async #runEdges(): Promise<void> {
    const { dimensions } = this.#target;
    let edges: Entry<EdgeRow[]>[] = [];
    const flush = (): void => {
      const keyed = edges.map(({ key, value }) => ({
        caller: key.slice(0, dimensions.length),
        callee: key.slice(dimensions.length),
        rows: value,
      }));
      if (keyed.length > 0) this.#blocks.push(encodeEdges(dimensions, keyed));
      edges = [];
    };
    const sources = this.#parts.map((part) => this.#edgesOf(part));
    await mergeSorted({
      sources: this.#keepsOrderOfEdges() ? sources : [sortedOf(sources)],
      merge: join,
      emit: (entry) => {
        edges.push(entry);
        if (edges.length === blockKeysMax) flush();
        return true;
      },
    });
    flush();
  }

  /** Callers that become one when folded bring their callees one after the other. */
  #keepsOrderOfEdges(): boolean {
    const { dimensions, foldFrom } = this.#target;
    return foldFrom >= dimensions.length && dimensions.length < dimensionsMax;
  }

  async *#cellsOf(part: MergePart): AsyncGenerator<Entry<CellRow[]>[]> {
    const { segments, startMs, hashKeyId } = part;
    const isForeign = hashKeyId !== this.#target.hashKeyId;
    for await (const bytes of segments.blocks(startMs, { kind: "keys", prefix: [] })) {
      const decoded = decodeCells(bytes);
      if (!decoded.ok) continue;
      const { keys, cells } = decoded.value.cube;
      const keyFor = this.#keyMap(keys.dimensions);
      yield Array.from({ length: cells.size }, (_, row) => ({
        key: keyFor(keyOf(keys, cells.keyOf(row))),
        value: [{ cells, row, isForeign }],
      }));
    }
  }

  async *#edgesOf({ segments, startMs }: MergePart): AsyncGenerator<Entry<EdgeRow[]>[]> {
    for await (const bytes of segments.blocks(startMs, { kind: "edges", prefix: [] })) {
      const decoded = decodeEdges(bytes);
      if (!decoded.ok) continue;
      const { keys, edges } = decoded.value;
      const keyFor = this.#keyMap(keys.dimensions);
      const keyAt = (id: KeyId): CompositeKey => keyFor(keyOf(keys, id));
      yield Array.from({ length: edges.size }, (_, row) => ({
        key: [...keyAt(edges.callerOf(row)), ...keyAt(edges.calleeOf(row))],
        value: [{ edges, row }],
      }));
    }
  }

  /**
   * Keys as the target has them. Columns that are added hold "" throughout, columns that go or are
   * folded are the last ones: the order of a source's keys stays as it was.
   */
  #keyMap(dimensions: readonly string[]): (key: CompositeKey) => CompositeKey {
    const { dimensions: wanted, foldFrom } = this.#target;
    const columns = wanted.map((name, at) => (at >= foldFrom ? -2 : dimensions.indexOf(name)));
    return (key) =>
      columns.map((column) =>
        column >= 0 ? (key[column] as string) : column === -2 ? overflowValue : "",
      );
  }
}

/** All entries at once, in order: few are left where keys are folded. */
async function* sortedOf<T>(sources: readonly EntrySource<T>[]): AsyncGenerator<Entry<T>[]> {
  const all: Entry<T>[] = [];
  for (const source of sources) {
    for (let next = await source.next(); next.done !== true; next = await source.next()) {
      for (const entry of next.value) all.push(entry);
    }
  }
  yield all.sort((a, b) => compareKeys(a.key, b.key));
}

/** Rows under one key; they are merged when their block is written. */
function join<T>(target: T[], source: readonly T[]): void {
  target.push(...source);
}
