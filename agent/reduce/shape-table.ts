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
import { textOf, utf8Of } from "../../wire/any-value.ts";
import { type AttributeSlots, createAttributeSlots, slotOf } from "../../wire/attribute-slots.ts";
import type { SpanView } from "../../wire/span-view.ts";
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
import { appendRange, appendSlots, areWordsEqual, hashWords, scratchSize } from "./shape-bytes.ts";

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

export class ShapeTable {
  readonly slots: AttributeSlots;
  readonly #userDimensions: readonly { readonly slot: number }[];
  readonly #ownSlots: Int32Array;
  readonly #callSlots: Int32Array;
  readonly #urlSlots: Int32Array;
  readonly #nameSlots: Int32Array;
  readonly #slotByName: ReadonlyMap<string, number>;
  readonly #places: (Shape | undefined)[] = new Array(setsCount * placesPerSet).fill(undefined);
  readonly #words = new Int32Array(scratchSize / 4);
  readonly #bytes = new Uint8Array(this.#words.buffer);
  readonly #seed: number;
  #turn = 0;

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
    this.#userDimensions = dimensions.map((name) => ({ slot: slotOf(this.slots, name) }));
    const slotsOf = (names: Iterable<string>): Int32Array =>
      Int32Array.from(new Set([...names].map((name) => slotOf(this.slots, name))));
    const plain = spanAttributes.filter(
      (name) => !farSideAttributes.has(name) && !urlAttributes.has(name),
    );
    this.#ownSlots = slotsOf([...plain, ...dimensions]);
    this.#callSlots = slotsOf([...plain, ...farSideAttributes, ...dimensions]);
    this.#nameSlots = slotsOf(farSideNames);
    this.#urlSlots = slotsOf(urlAttributes);
  }

  /** The span's shape; `resourceLow` and `resourceHigh` are a keyed hash of its resource. */
  shapeOf(span: SpanView, resourceLow: number, resourceHigh: number): Shape {
    const size = this.#gather(span, resourceLow, resourceHigh);
    if (size < 0) return this.#describe(span, new Int32Array(0));
    const count = (size + 3) >> 2;
    this.#bytes.fill(0, size, count * 4);
    const words = this.#words;
    const first = (hashWords(words, count, this.#seed) & (setsCount - 1)) * placesPerSet;
    for (let place = first; place < first + placesPerSet; place++) {
      const shape = this.#places[place];
      if (shape === undefined) break;
      if (areWordsEqual(shape.words, words, count)) return shape;
    }
    const shape = this.#describe(span, words.slice(0, count));
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
  #gather(span: SpanView, resourceLow: number, resourceHigh: number): number {
    const bytes = this.#bytes;
    this.#words[0] = resourceLow;
    this.#words[1] = resourceHigh;
    bytes[8] = span.kind;
    bytes[9] = span.statusCode;
    bytes[10] = isRemote(span.flags) ? 1 : 0;
    const source = span.bytes;
    const ranges = span.attributes;
    const isCall = span.kind >= 3;
    const slots = isCall ? this.#callSlots : this.#ownSlots;
    let at = appendRange(bytes, 11, source, span.nameStart, span.nameEnd);
    at = appendSlots(bytes, at, source, ranges, slots);
    if (!isCall || hasAny(span, this.#nameSlots)) return at;
    return appendSlots(bytes, at, source, ranges, this.#urlSlots);
  }

  #describe(span: SpanView, words: Int32Array): Shape {
    const facts = this.#factsOf(span);
    const key = [
      serviceOf(facts),
      operationOf(facts),
      facts.kind,
      peerOf(facts),
      facts.resource("service.version"),
      environmentOf(facts),
      facts.resource("cloud.region"),
      ...this.#userDimensions.map(({ slot }) => userValue(span, slot)),
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

  #factsOf(span: SpanView): SpanFacts & { readonly kind: SpanKind } {
    const named = hasAny(span, this.#nameSlots);
    const slotOfName = (name: SpanAttribute | ResourceAttribute): number =>
      this.#slotByName.get(name) as number;
    return {
      name: utf8Of(span.bytes, span.nameStart, span.nameEnd),
      kind: kindOf(span.kind, isRemote(span.flags)),
      statusCode: span.statusCode,
      span: (name) =>
        named && urlAttributes.has(name) ? "" : textAt(span, span.attributes, slotOfName(name)),
      resource: (name) => textAt(span, span.resourceAttributes, slotOfName(name)),
    };
  }
}

/** The dimensions of every key of an agent, in the order `describe` gives their values. */
export function dimensionsOf(userDimensions: readonly string[]): readonly string[] {
  return [...builtInDimensions, ...userDimensions];
}

function userValue(span: SpanView, slot: number): string {
  return textAt(span, span.attributes, slot) || textAt(span, span.resourceAttributes, slot);
}

function textAt(span: SpanView, from: SpanView["attributes"], slot: number): string {
  const start = from.starts[slot] as number;
  return start === 0 ? "" : textOf(span.bytes, start, from.ends[slot] as number);
}

function hasAny(span: SpanView, slots: Int32Array): boolean {
  for (const slot of slots) if (span.attributes.starts[slot] !== 0) return true;
  return false;
}
