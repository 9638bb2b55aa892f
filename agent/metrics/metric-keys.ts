/**
 * The keys of metrics. The operation is the metric's name, and in braces those attributes that part
 * one quantity into kinds which mean different things, such as memory that is used and memory that
 * is free. By convention these have a handful of values. What tells alike things apart (a device, a
 * route, a pod) is not in the key: their values share a digest. The user's dimensions are read from
 * the point, or else from its resource, as those of spans are.
 */
import { metricKind } from "../../sketch/key.ts";
import { textOf, utf8Of } from "../../wire/any-value.ts";
import {
  type AttributeSlots,
  createAttributeSlots,
  noSlot,
  slotAt,
  slotOf,
} from "../../wire/attribute-slots.ts";
import type { LocatedAttribute } from "../../wire/metric-point.ts";
import { boundedValue } from "../reduce/bounded-value.ts";
import { environmentOf, serviceOf } from "../reduce/service.ts";

/** Semantic conventions 1.44.0 and older names: attributes whose values are an enumeration. */
const partingAttributes: readonly string[] = [
  "state",
  "direction",
  "cpu.mode",
  "cpu.state",
  "container.cpu.state",
  "process.cpu.state",
  "system.cpu.state",
  "system.memory.state",
  "system.paging.state",
  "system.paging.type",
  "system.paging.direction",
  "system.filesystem.state",
  "disk.io.direction",
  "disk.direction",
  "network.io.direction",
  "jvm.memory.type",
  "db.client.connection.state",
  "nodejs.eventloop.state",
  "go.memory.type",
];

/** The bytes of a request, and a view of them. */
export interface RequestBytes {
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

/** What a resource gives to the keys of its metrics. */
export interface ResourceValues {
  readonly service: string;
  /** Version, environment and region. */
  readonly origin: readonly string[];
  readonly dimensions: readonly string[];
}

/** Values of a point's attributes by slot; undefined where none belongs into a key. */
export type WantedValues = readonly (string | undefined)[] | undefined;

export class MetricKeys {
  readonly #dimensions: readonly string[];
  readonly #slots: AttributeSlots;
  readonly #dimensionSlots: readonly number[];

  constructor(dimensions: readonly string[]) {
    this.#dimensions = dimensions;
    this.#slots = createAttributeSlots([...new Set([...partingAttributes, ...dimensions])]);
    this.#dimensionSlots = dimensions.map((name) => slotOf(this.#slots, name));
  }

  valuesOf({ bytes }: RequestBytes, attributes: readonly LocatedAttribute[]): ResourceValues {
    // Of two attributes with one name the last counts.
    const texts = new Map(
      attributes.map(({ nameStart, nameEnd, start, end }) => [
        utf8Of(bytes, nameStart, nameEnd),
        textOf(bytes, start, end),
      ]),
    );
    const facts = { resource: (name: string) => texts.get(name) ?? "" };
    return {
      service: boundedValue(serviceOf(facts)),
      origin: [
        boundedValue(facts.resource("service.version")),
        boundedValue(environmentOf(facts)),
        boundedValue(facts.resource("cloud.region")),
      ],
      dimensions: this.#dimensions.map((name) => boundedValue(facts.resource(name))),
    };
  }

  /** Most points have none. */
  wantedOf({ bytes, view }: RequestBytes, attributes: readonly LocatedAttribute[]): WantedValues {
    let wanted: (string | undefined)[] | undefined;
    for (const { nameStart, nameEnd, start, end } of attributes) {
      const slot = slotAt(this.#slots, view, nameStart, nameEnd);
      if (slot === noSlot) continue;
      wanted ??= [];
      wanted[slot] = textOf(bytes, start, end);
    }
    return wanted;
  }

  keyOf(resource: ResourceValues, metric: string, wanted: WantedValues): string[] {
    const { service, origin, dimensions } = resource;
    const own = this.#dimensionSlots.map((slot, index) => {
      const value = wanted?.[slot] ?? "";
      return value === "" ? (dimensions[index] as string) : boundedValue(value);
    });
    return [service, this.#operationOf(metric, wanted), metricKind, "", ...origin, ...own];
  }

  #operationOf(metric: string, wanted: WantedValues): string {
    const parts: string[] = [];
    for (const [slot, name] of partingAttributes.entries()) {
      const value = wanted?.[slot];
      if (value !== undefined) parts.push(`${name}=${value}`);
    }
    return boundedValue(parts.length === 0 ? metric : `${metric}{${parts.join(",")}}`);
  }
}
