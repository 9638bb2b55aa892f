/**
 * What a silence can match of an incident. It fails open: a silence holds back what lies wholly
 * inside what it names, so one on a service under maintenance does not hide a larger incident that
 * the service only takes part in.
 *
 *   service      the node of the cause, either end of its edge, or the one service of all entries
 *   operation    the one operation of all entries
 *   <attribute>  a value that every combination has
 */
import type { Matcher } from "../../wire/alerts.ts";
import type { Incident } from "../../wire/api-types.ts";
import { servicesOf } from "./alert-text.ts";

export function traitsOf({ cause, impact, combinations }: Incident): readonly Matcher[] {
  const traits = servicesOf(cause).map((value) => ({ name: "service", value }));
  const service = onlyOne(impact.entries.map((entry) => entry.service));
  if (service !== undefined) traits.push({ name: "service", value: service });
  const operation = onlyOne(impact.entries.map((entry) => entry.operation));
  if (operation !== undefined) traits.push({ name: "operation", value: operation });
  const [first, ...others] = combinations;
  for (const { dimension, value } of first?.attributes ?? []) {
    const isEverywhere = others.every(({ attributes }) =>
      attributes.some((other) => other.dimension === dimension && other.value === value),
    );
    if (isEverywhere) traits.push({ name: dimension, value });
  }
  return traits;
}

function onlyOne(values: readonly string[]): string | undefined {
  return values.every((value) => value === values[0]) ? values[0] : undefined;
}

/** Whether the traits have every matcher. */
export function hasAll(traits: readonly Matcher[], matchers: readonly Matcher[]): boolean {
  return matchers.every(({ name, value }) =>
    traits.some((trait) => trait.name === name && trait.value === value),
  );
}
