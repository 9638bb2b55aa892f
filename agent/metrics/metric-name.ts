/**
 * What a metric is called as the operation of its key: its name, and in braces those attributes
 * that part one quantity into kinds which mean different things, such as memory that is used and
 * memory that is free. By convention these have a handful of values. What tells alike things apart
 * (a device, a route, a pod) is not in the key: their values share a digest.
 */
import { textOf } from "../../wire/any-value.ts";
import type { LocatedAttribute } from "../../wire/metric-point.ts";

/** Semantic conventions 1.44.0 and older names: attributes whose values are an enumeration. */
const partingAttributes: ReadonlySet<string> = new Set([
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
]);

export function metricNameOf(
  name: string,
  attributes: readonly LocatedAttribute[],
  bytes: Uint8Array,
): string {
  const parts = attributes
    .filter((attribute) => partingAttributes.has(attribute.name))
    .map(({ name: part, value }) => `${part}=${textOf(bytes, value.start, value.end)}`);
  return parts.length === 0 ? name : `${name}{${parts.sort().join(",")}}`;
}
