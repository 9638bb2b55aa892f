/**
 * Numbers for what is tested, for as long as it is seen: a window of 100,000 keys is then a walk
 * over columns, and no name is spelt out before somebody is told of it.
 *
 *   subject  what is watched: a service, an operation, an origin, a far side, a key
 *   row      one signal of a subject: subject * signals + the signal's number
 *
 *   numbers  scope and name, joined -> subject
 *   names    subject -> its name, a composite key whole; none while the number is free
 *   places   Int32Array [subjects, 3]  of a key: its operation, its service, and what is to blame,
 *            the origin or the far side; -1 elsewhere
 *   lastMs   Float64Array [subjects]   when it was seen last
 *   order    Int32Array   the keys of the last window as they came; the next window's come much the
 *            same, and comparing two keys costs a tenth of looking one up
 *
 * Bound: `subjectsMax`; what finds no number goes untested and is counted.
 */
import type { CompositeKey } from "../../sketch/key.ts";

export type Scope = "service" | "operation" | "origin" | "call" | "key";

/** The signals that are counts of bad spans; every subject has a row for each. */
export type BadSignal = "errors" | "slow";
export const badSignals: readonly BadSignal[] = ["errors", "slow"];

/** What names a row for as long as the collector lives. */
export interface RowName {
  readonly id: string;
  readonly scope: Scope;
  readonly signal: BadSignal;
  readonly service: string;
  readonly operation: string;
  readonly kind: string;
  readonly peer: string;
  /** The composite key of a `key` row. */
  readonly key: CompositeKey | undefined;
}

interface SubjectName {
  readonly scope: Scope;
  readonly parts: readonly string[];
}

export interface RowBook {
  readonly numbers: Map<string, number>;
  readonly names: (SubjectName | undefined)[];
  places: Int32Array;
  lastMs: Float64Array;
  order: Int32Array;
  /** Numbers that are free again. */
  readonly free: number[];
  /** Subjects that found no number. */
  refused: number;
}

export const subjectsMax = 200_000;
const placesWidth = 3;
const subjectsInitial = 64;
const nowhere = -1;

export function createRowBook(): RowBook {
  return {
    numbers: new Map(),
    names: [],
    places: new Int32Array(subjectsInitial * placesWidth).fill(nowhere),
    lastMs: new Float64Array(subjectsInitial),
    order: new Int32Array(0),
    free: [],
    refused: 0,
  };
}

/** One more than the highest row there is. */
export function rowsEnd(book: RowBook): number {
  return book.names.length * badSignals.length;
}

export function rowOf(subject: number, signal: number): number {
  return subject * badSignals.length + signal;
}

export function subjectOf(row: number): number {
  return Math.floor(row / badSignals.length);
}

/** The number of a subject, new if need be; -1 when there are as many as there may be. */
export function numberOf(
  book: RowBook,
  scope: Scope,
  parts: readonly string[],
  nowMs: number,
): number {
  const id = idOf(scope, parts);
  const known = book.numbers.get(id);
  if (known !== undefined) {
    book.lastMs[known] = nowMs;
    return known;
  }
  if (book.numbers.size >= subjectsMax) {
    book.refused += 1;
    return nowhere;
  }
  const subject = book.free.pop() ?? book.names.length;
  book.numbers.set(id, subject);
  book.names[subject] = { scope, parts };
  if (subject >= book.lastMs.length) grow(book);
  book.lastMs[subject] = nowMs;
  return subject;
}

/** Finds the numbers of a window's keys, one after the other. */
export interface KeyWalk {
  readonly book: RowBook;
  readonly next: Int32Array;
  size: number;
  /** Where in `book.order` the next key is looked for. */
  at: number;
  /** Subject -> its place in `book.order`; worked out when a key is not where it was looked for. */
  positions: Int32Array | undefined;
}

/** So far ahead the next key is looked for: as many may have gone since the last window. */
const keysAhead = 4;

export function walkKeys(book: RowBook, keys: number): KeyWalk {
  return { book, next: new Int32Array(keys), size: 0, at: 0, positions: undefined };
}

/** The subject of the walk's next key; -1 when there are as many as there may be. */
export function nextKey(walk: KeyWalk, key: CompositeKey, nowMs: number): number {
  const { book, next } = walk;
  for (let ahead = walk.at; ahead < Math.min(walk.at + keysAhead, book.order.length); ahead++) {
    const subject = book.order[ahead] as number;
    if (!isKey(book, subject, key)) continue;
    book.lastMs[subject] = nowMs;
    walk.at = ahead + 1;
    next[walk.size++] = subject;
    return subject;
  }
  const subject = numberOf(book, "key", key, nowMs);
  if (subject < 0) return subject;
  next[walk.size++] = subject;
  walk.positions ??= positionsOf(book.order);
  const position = walk.positions[subject] ?? nowhere;
  if (position !== nowhere) walk.at = position + 1;
  return subject;
}

function positionsOf(order: Int32Array): Int32Array {
  let end = 0;
  for (const subject of order) end = Math.max(end, subject + 1);
  const positions = new Int32Array(end).fill(nowhere);
  for (let at = 0; at < order.length; at++) positions[order[at] as number] = at;
  return positions;
}

/** Remembers the order of the walk for the next window. */
export function endWalk({ book, next, size }: KeyWalk): void {
  book.order = next.slice(0, size);
}

function isKey(book: RowBook, subject: number, key: CompositeKey): boolean {
  const named = book.names[subject];
  if (named?.scope !== "key" || named.parts.length !== key.length) return false;
  const { parts } = named;
  for (let index = key.length - 1; index >= 0; index--) {
    if (parts[index] !== key[index]) return false;
  }
  return true;
}

export function isPlaced(book: RowBook, subject: number): boolean {
  return (book.places[subject * placesWidth] as number) !== nowhere;
}

/** Where the counts of a key go besides its own row. */
export interface Places {
  operation: number;
  service: number;
  blame: number;
}

export function setPlaces(book: RowBook, subject: number, places: Places): void {
  const at = subject * placesWidth;
  book.places[at] = places.operation;
  book.places[at + 1] = places.service;
  book.places[at + 2] = places.blame;
}

/** Reads the places of a key into `places`. */
export function readPlaces(book: RowBook, subject: number, places: Places): void {
  const at = subject * placesWidth;
  places.operation = book.places[at] as number;
  places.service = book.places[at + 1] as number;
  places.blame = book.places[at + 2] as number;
}

/** The row of that id, -1 without one. */
export function findRow(book: RowBook, id: string): number {
  const [scope = "", signal = "", ...parts] = id.split("\0");
  const subject = book.numbers.get(idOf(scope, parts));
  const at = badSignals.indexOf(signal as BadSignal);
  return subject === undefined || at < 0 ? nowhere : rowOf(subject, at);
}

/** What a subject is called; undefined for a number that is free. */
export function subjectName(
  book: RowBook,
  subject: number,
): Omit<RowName, "id" | "signal" | "key"> | undefined {
  const named = book.names[subject];
  if (named === undefined) return undefined;
  const [service = "", operation = "", kind = "", peer = ""] = named.parts;
  return { scope: named.scope, service, operation, kind, peer };
}

export function rowName(book: RowBook, row: number): RowName | undefined {
  const named = book.names[subjectOf(row)];
  const name = subjectName(book, subjectOf(row));
  if (named === undefined || name === undefined) return undefined;
  const { scope, service, operation, kind, peer } = name;
  const signal = badSignals[row % badSignals.length] as BadSignal;
  const key = scope === "key" ? named.parts : undefined;
  const id = `${scope}\0${signal}\0${named.parts.join("\0")}`;
  return { id, scope, signal, service, operation, kind, peer, key };
}

export function serviceOf(book: RowBook, subject: number): string {
  return book.names[subject]?.parts[0] ?? "";
}

/** Gives back the numbers of what was not seen since; tells which. */
export function forgetSubjects(book: RowBook, sinceMs: number): number[] {
  const gone: number[] = [];
  for (const [id, subject] of book.numbers) {
    if ((book.lastMs[subject] as number) >= sinceMs) continue;
    book.numbers.delete(id);
    book.names[subject] = undefined;
    book.places.fill(nowhere, subject * placesWidth, (subject + 1) * placesWidth);
    book.free.push(subject);
    gone.push(subject);
  }
  return gone;
}

function idOf(scope: string, parts: readonly string[]): string {
  return `${scope}\0${parts.join("\0")}`;
}

function grow(book: RowBook): void {
  const subjects = Math.ceil(book.lastMs.length * 1.5);
  const lastMs = new Float64Array(subjects);
  lastMs.set(book.lastMs);
  book.lastMs = lastMs;
  const places = new Int32Array(subjects * placesWidth).fill(nowhere);
  places.set(book.places);
  book.places = places;
}
