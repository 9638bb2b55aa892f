/**
 * From a span's bytes to its key without making a string, for spans of a shape seen before.
 *
 * A shape is everything that decides a key and a failure: kind, status, name, the raw values of the
 * attributes the conventions read, and the resource. It is looked up in a table of sets with a few
 * places each; only a new shape is described with strings. Places are reused in turn, so a flood of
 * shapes costs time but no memory, and every hit is compared word by word, so a chosen collision
 * gains nothing.
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
import { addToSelection, createSelection, isSelection, wordsOfSelection } from "./selection.ts";
import { environmentOf, serviceOf } from "./service.ts";

export interface Shape {
  readonly hash: number;
  readonly words: Int32Array;
  readonly key: CompositeKey;
  /** The index of its kind in `spanKinds`. */
  readonly kind: number;
  readonly failed: boolean;
  readonly database: boolean;
  demandHash: Uint32Array | undefined;
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
const nameHead = 0x7fff;

export class ShapeTable {
  readonly slots: AttributeSlots;
  readonly #userSlots: readonly number[];
  readonly #slotByName: ReadonlyMap<string, number>;
  /** By slot, what its attribute is read for. */
  readonly #roles: Uint8Array;
  readonly #places: (Shape | undefined)[] = new Array(setsCount * placesPerSet).fill(undefined);
  readonly #selection = createSelection();
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
    const hash = this.#select(table, span, resourceLow, resourceHigh);
    const first = ((hash ^ (hash >>> 15)) & (setsCount - 1)) * placesPerSet;
    for (let place = first; place < first + placesPerSet; place++) {
      const shape = this.#places[place];
      if (shape === undefined) break;
      if (shape.hash === hash && isSelection(shape.words, this.#selection, table.view))
        return shape;
    }
    const words = wordsOfSelection(this.#selection, table.view);
    const shape = this.#describe(table, span, { words, hash });
    if (words.length > 0) this.#places[this.#placeIn(first)] = shape;
    return shape;
  }

  #placeIn(first: number): number {
    for (let place = first; place < first + placesPerSet; place++) {
      if (this.#places[place] === undefined) return place;
    }
    this.#turn = (this.#turn + 1) % placesPerSet;
    return first + this.#turn;
  }

  /** Selects what makes the span's shape; gives its hash. */
  #select(table: TraceTable, span: number, resourceLow: number, resourceHigh: number): number {
    const { spans } = table;
    const selection = this.#selection;
    const kind = spans[span + kindColumn] as number;
    const remote = isRemote(spans[span + flagsColumn] as number) ? 1 : 0;
    selection.head[0] = resourceLow;
    selection.head[1] = resourceHigh;
    selection.head[2] = kind | ((spans[span + statusColumn] as number) << 8) | (remote << 16);
    selection.hash =
      this.#seed ^ Math.imul(resourceLow, 0x9e3779b1) ^ (selection.head[2] as number);
    selection.count = 0;
    const nameEnd = spans[span + nameRange + 1] as number;
    addToSelection(selection, table.view, nameHead, spans[span + nameRange] as number, nameEnd);
    this.#selectRole(table, span, kind < 3 ? ownRole : callRole);
    if (kind >= 3 && !this.#isNamed(table, span)) this.#selectRole(table, span, urlRole);
    return selection.hash;
  }

  /** Selects the span's attributes that are read for `role`, in the order they came. */
  #selectRole(table: TraceTable, span: number, role: number): void {
    const { words } = table.attributes;
    const roles = this.#roles;
    const first = (table.spans[span + firstAttribute] as number) * attributeWords;
    const end = (table.spans[span + spanWords + firstAttribute] as number) * attributeWords;
    for (let row = first; row < end; row += attributeWords) {
      const slot = words[row] as number;
      if (((roles[slot] as number) & role) === 0) continue;
      const valueEnd = words[row + 2] as number;
      addToSelection(this.#selection, table.view, slot, words[row + 1] as number, valueEnd);
    }
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

  #describe(table: TraceTable, span: number, known: { words: Int32Array; hash: number }): Shape {
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
      ...known,
      key,
      kind: facts.kind === "internal" ? 1 : spanKinds.indexOf(facts.kind),
      failed: failedOf(facts),
      database: (facts.span("db.system.name") || facts.span("db.system")) !== "",
      demandHash: undefined,
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
