/**
 * From a span's bytes to its key without making a string, for spans of a shape seen before.
 *
 * A shape is everything that decides a key and a failure: kind, status, name, the raw values of the
 * attributes the conventions read, and the resource. Its bytes are gathered into one scratch row,
 * hashed, and looked up in a table of sets with a few places each; only a new shape is described
 * with strings. Places are reused in turn, so a flood of shapes costs time but no memory, and every
 * hit is compared word by word, so a chosen collision gains nothing.
 */
import { builtInDimensions, type CompositeKey, type KeyId } from "../../sketch/key.ts";
import { utf8Of } from "../../wire/any-value.ts";
import { type AttributeSlots, createAttributeSlots, slotOf } from "../../wire/attribute-slots.ts";
import {
  attributeWords,
  firstAttribute,
  flagsColumn,
  kindColumn,
  nameRange,
  spanWords,
  statusColumn,
  type TraceTable,
} from "../../wire/trace-table.ts";
import { resourceText, spanText } from "./attribute-text.ts";
import {
  kindOf,
  type ResourceAttribute,
  resourceAttributes,
  type SpanAttribute,
  type SpanFacts,
  type SpanKind,
  spanAttributes,
  spanKinds,
} from "./attributes.ts";
import { boundedValue } from "./bounded-value.ts";
import { failedOf } from "./failure.ts";
import { operationOf } from "./operation.ts";
import { peerOf } from "./peer.ts";
import { environmentOf, serviceOf } from "./service.ts";
import { appendRange, areWordsEqual, scratchWords } from "./shape-words.ts";

export interface Shape {
  readonly words: Int32Array;
  readonly key: CompositeKey;
  /** The index of its kind in `spanKinds`. */
  readonly kind: number;
  readonly failed: boolean;
  readonly database: boolean;
  /** The segment that `id`, `folded` and `slowBucket` are of; 0 for none yet. */
  segment: number;
  id: KeyId;
  folded: number;
  slowBucket: number;
}

const setsCount = 2_048;
const placesPerSet = 4;
/** OTLP span flags: whether "is remote" is known, and whether it is. */
const remoteKnownFlag = 0x100;
const remoteFlag = 0x200;

/** Read for the far side only, which server and internal spans do not name. */
const farSideAttributes: ReadonlySet<SpanAttribute> = new Set([
  "server.address",
  "server.port",
  "net.peer.name",
  "net.peer.port",
  "network.peer.address",
  "network.peer.port",
  "net.sock.peer.addr",
  "net.sock.peer.port",
  "net.peer.ip",
  "service.peer.name",
  "peer.service",
]);
const farSideNames: readonly SpanAttribute[] = [
  "server.address",
  "net.peer.name",
  "network.peer.address",
  "net.sock.peer.addr",
  "net.peer.ip",
  "service.peer.name",
  "peer.service",
];
/** The far side's last resort, read only without a name: each URL is a shape of its own. */
const urlAttributes: ReadonlySet<SpanAttribute> = new Set(["url.full", "http.url"]);

export function isRemote(flags: number): boolean {
  return (flags & remoteKnownFlag) !== 0 && (flags & remoteFlag) !== 0;
}

/** Bits of what an attribute is read for. */
const ownRole = 1;
const callRole = 2;
const nameRole = 4;
const urlRole = 8;
/** The words before the first range: two of the resource, then kind, status and remoteness. */
const headWords = 3;
const nameHead = 0x7fff;

export class ShapeTable {
  readonly slots: AttributeSlots;
  readonly #userSlots: readonly number[];
  readonly #slotByName: ReadonlyMap<string, number>;
  /** By slot, what its attribute is read for. */
  readonly #roles: Uint8Array;
  readonly #places: (Shape | undefined)[] = new Array(setsCount * placesPerSet).fill(undefined);
  readonly #words = new Int32Array(scratchWords);
  readonly #range = { head: 0, start: 0, end: 0 };
  readonly #seed: number;
  #turn = 0;
  #hash = 0;

  constructor(options: {
    dimensions: readonly string[];
    customerAttributes: readonly string[];
    seed: number;
  }) {
    const { dimensions, customerAttributes } = options;
    this.slots = createAttributeSlots([
      ...new Set([...spanAttributes, ...resourceAttributes, ...dimensions, ...customerAttributes]),
    ]);
    this.#seed = options.seed;
    this.#slotByName = new Map(this.slots.names.map((name, slot) => [name, slot]));
    this.#userSlots = dimensions.map((name) => slotOf(this.slots, name));
    this.#roles = new Uint8Array(this.slots.count);
    const give = (names: readonly string[], role: number): void => {
      for (const name of names) {
        const slot = slotOf(this.slots, name);
        this.#roles[slot] = (this.#roles[slot] as number) | role;
      }
    };
    const plain = spanAttributes.filter(
      (name) => !farSideAttributes.has(name) && !urlAttributes.has(name),
    );
    give([...plain, ...dimensions], ownRole | callRole);
    give([...farSideAttributes], callRole);
    give(farSideNames, nameRole);
    give([...urlAttributes], urlRole);
  }

  /** The span's shape; `resourceLow` and `resourceHigh` are a keyed hash of its resource. */
  shapeOf(table: TraceTable, span: number, resourceLow: number, resourceHigh: number): Shape {
    const words = this.#words;
    words[0] = resourceLow;
    words[1] = resourceHigh;
    const count = this.#gather(table, span);
    if (count < 0) return this.#describe(table, span, new Int32Array(0));
    const hash = this.#hash ^ Math.imul(resourceLow, 0x85ebca6b);
    const first = ((hash ^ (hash >>> 15)) & (setsCount - 1)) * placesPerSet;
    for (let place = first; place < first + placesPerSet; place++) {
      const shape = this.#places[place];
      if (shape === undefined) break;
      if (areWordsEqual(shape.words, words, count)) return shape;
    }
    const shape = this.#describe(table, span, words.slice(0, count));
    this.#places[this.#placeIn(first)] = shape;
    return shape;
  }

  #placeIn(first: number): number {
    for (let place = first; place < first + placesPerSet; place++) {
      if (this.#places[place] === undefined) return place;
    }
    this.#turn = (this.#turn + 1) % placesPerSet;
    return first + this.#turn;
  }

  /** Fills the scratch row; gives its size, or -1 when the span is too large for it. */
  #gather(table: TraceTable, span: number): number {
    const { spans } = table;
    const kind = spans[span + kindColumn] as number;
    const remote = isRemote(spans[span + flagsColumn] as number) ? 1 : 0;
    this.#words[2] = kind | ((spans[span + statusColumn] as number) << 8) | (remote << 16);
    this.#hash = this.#seed ^ (this.#words[2] as number);
    const nameStart = spans[span + nameRange] as number;
    const nameEnd = spans[span + nameRange + 1] as number;
    const at = this.#append(table, headWords, nameHead, nameStart, nameEnd);
    if (kind < 3) return this.#appendRole(table, span, at, ownRole);
    const called = this.#appendRole(table, span, at, callRole);
    return this.#isNamed(table, span) ? called : this.#appendRole(table, span, called, urlRole);
  }

  /** Appends the span's attributes that are read for `role`, in the order they came. */
  #appendRole(table: TraceTable, span: number, from: number, role: number): number {
    const { words } = table.attributes;
    const roles = this.#roles;
    const first = (table.spans[span + firstAttribute] as number) * attributeWords;
    const end = (table.spans[span + spanWords + firstAttribute] as number) * attributeWords;
    let at = from;
    for (let row = first; row < end; row += attributeWords) {
      const slot = words[row] as number;
      if (((roles[slot] as number) & role) === 0) continue;
      at = this.#append(table, at, slot, words[row + 1] as number, words[row + 2] as number);
    }
    return at;
  }

  /**
   * The hash knows the ends of a range alone, the comparison all of it: whoever sends values that
   * differ in the middle makes shapes meet in a set, which costs no more than sending new shapes.
   */
  #append(table: TraceTable, at: number, head: number, start: number, end: number): number {
    const range = this.#range;
    range.head = head;
    range.start = start;
    range.end = end;
    const to = appendRange(this.#words, at, table.view, range);
    if (to < 0) return to;
    const words = this.#words;
    const first = words[Math.min(at + 1, to - 1)] as number;
    const nextToLast = words[Math.max(at, to - 2)] as number;
    const last = words[to - 1] as number;
    const ends = Math.imul((words[at] as number) ^ last, 0x9e3779b1);
    const mixed =
      this.#hash ^ ends ^ Math.imul(first ^ ((nextToLast << 7) | (nextToLast >>> 25)), 0xc2b2ae35);
    this.#hash = Math.imul((mixed << 13) | (mixed >>> 19), 0x85ebca6b);
    return to;
  }

  #isNamed(table: TraceTable, span: number): boolean {
    const { words } = table.attributes;
    const first = (table.spans[span + firstAttribute] as number) * attributeWords;
    const end = (table.spans[span + spanWords + firstAttribute] as number) * attributeWords;
    for (let row = first; row < end; row += attributeWords) {
      if (((this.#roles[words[row] as number] as number) & nameRole) !== 0) return true;
    }
    return false;
  }

  #describe(table: TraceTable, span: number, words: Int32Array): Shape {
    const facts = this.#factsOf(table, span);
    const key = [
      serviceOf(facts),
      operationOf(facts),
      facts.kind,
      peerOf(facts),
      facts.resource("service.version"),
      environmentOf(facts),
      facts.resource("cloud.region"),
      ...this.#userSlots.map(
        (slot) => spanText(table, span, slot) || resourceText(table, span, slot),
      ),
    ].map(boundedValue);
    return {
      words,
      key,
      kind: facts.kind === "internal" ? 1 : spanKinds.indexOf(facts.kind),
      failed: failedOf(facts),
      database: (facts.span("db.system.name") || facts.span("db.system")) !== "",
      segment: 0,
      id: 0,
      folded: 0,
      slowBucket: 0,
    };
  }

  #factsOf(table: TraceTable, span: number): SpanFacts & { readonly kind: SpanKind } {
    const { spans } = table;
    const named = this.#isNamed(table, span);
    const slotOfName = (name: SpanAttribute | ResourceAttribute): number =>
      this.#slotByName.get(name) as number;
    return {
      name: utf8Of(
        table.bytes,
        spans[span + nameRange] as number,
        spans[span + nameRange + 1] as number,
      ),
      kind: kindOf(
        spans[span + kindColumn] as number,
        isRemote(spans[span + flagsColumn] as number),
      ),
      statusCode: spans[span + statusColumn] as number,
      span: (name) =>
        named && urlAttributes.has(name) ? "" : spanText(table, span, slotOfName(name)),
      resource: (name) => resourceText(table, span, slotOfName(name)),
    };
  }
}

/** The dimensions of every key of an agent, in the order `describe` gives their values. */
export function dimensionsOf(userDimensions: readonly string[]): readonly string[] {
  return [...builtInDimensions, ...userDimensions];
}
