import { expect, test } from "vitest";
import { renderComparison, type Story } from "../../cli/demo/report.ts";
import { plainStyle } from "../../cli/terminal/terminal.ts";
import type { IncidentDetail } from "../../wire/api-types.ts";
import { detail } from "./sample-incident.ts";

const story: Story = {
  title: "",
  description: "",
  expected: {
    cause: "payments",
    attributes: [
      { dimension: "cloud.region", value: "eu-west-1" },
      { dimension: "card.type", value: "amex" },
    ],
    signal: "errors",
    pages: true,
  },
};

/** The rows of the comparison, each as its cells. */
function check(change: Partial<IncidentDetail>, customersHurt: number): string[] {
  const incident = { ...detail, ...change };
  const times = { faultAtMs: incident.asOfMs - 30_000, nowMs: incident.asOfMs };
  const text = renderComparison({ story, incident, customersHurt, ...times }, plainStyle);
  return text.split("\n").map((line) => line.trim().replace(/ {2,}/g, " | "));
}

test("what is found stands beside what is true", () => {
  expect(check({}, 120)).toEqual([
    "30 s after the fault, inc-7 as of 12:05:10Z",
    "brunt says | the shop knows",
    "cause | payments | payments",
    "where | card.type=amex | card.type=amex",
    "cloud.region=eu-west-1 | cloud.region=eu-west-1",
    "service.version=2.4.1",
    "customers | 118 (115 to 121) | 120 (off by 1.7 %)",
    "page | yes | yes",
    "",
  ]);
});

test.each<[string, Partial<IncidentDetail>, number, string]>([
  ["no cause", { cause: { ...detail.cause, name: "" } }, 1, "cause | not found | payments"],
  ["nowhere in particular", { combinations: [] }, 1, "where | everywhere | card.type=amex"],
  ["held back", { page: false }, 1, "page | no | yes"],
  ["nobody hurt", {}, 0, "customers | 118 (115 to 121) | 0"],
  [
    "customers unknown",
    { impact: { ...detail.impact, customers: null } },
    5,
    "customers | unknown | 5",
  ],
])("%s", (_, change, customersHurt, row) => {
  expect(check(change, customersHurt)).toContain(row);
});
