/**
 * From a span's bytes to its key without making a string, for spans of a shape seen before.
 *
 * A shape is everything that decides a key and a failure: kind, status, name, the raw values of the
 * attributes the conventions read, and the resource. Only one that `ShapeStore` does not know is
 * described with strings. Every hit is compared word by word, so a chosen collision gains nothing.
 */
import { builtInDimensions } from "../../sketch/key.ts";
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
import { databaseFlag, failedFlag } from "../pairing/remembered-span.ts";
import type { DemandedKey } from "../windows/segment.ts";
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
import { addToSelection, createSelection } from "./selection.ts";
import { environmentOf, serviceOf } from "./service.ts";
import { factWords, flagsFact, ShapeStore } from "./shape-store.ts";

/** What a shape says in strings; the rest is in the facts of its place. */
export interface Shape extends DemandedKey {
  readonly kind: number;
  readonly failed: boolean;
  readonly database: boolean;
  /** Its resource is on the agent's host. */
  readonly isLocal: boolean;
}

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
  readonly #store: ShapeStore;
  readonly #shapes: (Shape | undefined)[] = [];
  /** By place, the columns of `ShapeStore`. */
  readonly facts: Int32Array;
  readonly #selection = createSelection();
  readonly #seed: number;
  readonly #hostName: string;

  constructor(options: {
    /** The agent's host; "" when nobody asks who runs there. */
    hostName: string;
    dimensions: readonly string[];
    customerAttributes: readonly string[];
    keysMax: number;
    seed: number;
  }) {
    const { dimensions, customerAttributes } = options;
    this.#store = new ShapeStore(options.keysMax);
    this.facts = this.#store.facts;
    this.slots = createAttributeSlots([
      ...new Set([...spanAttributes, ...resourceAttributes, ...dimensions, ...customerAttributes]),
    ]);
    this.#seed = options.seed;
    this.#hostName = options.hostName;
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

  /** The place of the span's shape; `resourceLow` and `resourceHigh` are a keyed hash. */
  placeOf(table: TraceTable, span: number, resourceLow: number, resourceHigh: number): number {
    this.#select(table, span, resourceLow, resourceHigh);
    const known = this.#store.find(this.#selection, table.view);
    if (known >= 0) return known;
    const place = this.#store.add(this.#selection, table.view);
    const shape = this.#describe(table, span);
    this.#shapes[place] = shape;
    this.facts[place * factWords + flagsFact] =
      shape.kind | (shape.failed ? failedFlag : 0) | (shape.database ? databaseFlag : 0);
    return place;
  }

  /** The shape at a place `placeOf` gave. */
  shapeAt(place: number): Shape {
    return this.#shapes[place] as Shape;
  }

  /** Selects what makes the span's shape. */
  #select(table: TraceTable, span: number, resourceLow: number, resourceHigh: number): void {
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

  #describe(table: TraceTable, span: number): Shape {
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
      key,
      kind: facts.kind === "internal" ? 1 : spanKinds.indexOf(facts.kind),
      failed: failedOf(facts),
      database: (facts.span("db.system.name") || facts.span("db.system")) !== "",
      isLocal: this.#isLocal(facts),
      demandHash: undefined,
    };
  }

  #isLocal(facts: SpanFacts): boolean {
    const hosts = [facts.resource("host.name"), facts.resource("k8s.node.name")];
    return this.#hostName !== "" && hosts.includes(this.#hostName);
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
