import { describe, expect, test } from "vitest";
import { hasAll, traitsOf } from "../../collector/notify/traits.ts";
import { type IncidentSpec, incidentOf } from "./incidents.ts";

/** Matchers as `name=value`, several joined by a space. */
function check(incident: IncidentSpec, matchers: string): boolean {
  const parsed = matchers.split(" ").map((pair) => {
    const [name = "", value = ""] = pair.split("=");
    return { name, value };
  });
  return hasAll(traitsOf(incidentOf(incident)), parsed);
}

const edge: IncidentSpec = { kind: "edge", cause: "web → db" };
const unknown: IncidentSpec = { kind: "none", cause: "" };

describe("what a silence matches", () => {
  test.each<[name: string, incident: IncidentSpec, matchers: string, is: boolean]>([
    ["the cause", {}, "service=payments", true],
    ["another service", {}, "service=pay", false],
    ["either end of an edge", edge, "service=web", true],
    ["the other end", edge, "service=db", true],
    ["not the edge's own name", edge, "service=→", false],
    ["the only entry", unknown, "service=web", true],
    ["one of several entries", { ...unknown, entries: ["web a", "api a"] }, "service=web", false],
    ["the operation of all entries", { entries: ["web go", "api go"] }, "operation=go", true],
    ["one of several operations", { entries: ["web go", "web come"] }, "operation=go", false],
    ["an attribute", {}, "cloud.region=eu", true],
    ["another value", {}, "cloud.region=us", false],
    ["in every combination", { combinations: ["a=1 b=2", "b=2 c=3"] }, "b=2", true],
    ["in one combination of two", { combinations: ["a=1 b=2", "b=2"] }, "a=1", false],
    ["all matchers", {}, "service=payments cloud.region=eu", true],
    ["all but one", {}, "service=payments cloud.region=us", false],
    ["no entries at all", { ...unknown, entries: [] }, "service=undefined", false],
  ])("%s", (_, incident, matchers, is) => expect(check(incident, matchers)).toBe(is));
});
