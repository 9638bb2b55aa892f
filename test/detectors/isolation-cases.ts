/** Leaf tables with a known cause, for the isolation tests. */
import type { Prng } from "../../base/prng.ts";
import type { IsolationLeaf } from "../../detectors/isolation-leaf.ts";

export const caseDimensions = [
  "service.name",
  "operation",
  "service.version",
  "cloud.region",
  "card",
  "tier",
  "plan",
] as const;

/** Values of each dimension and their shares of traffic. The first has one value; plan = tier. */
const values: readonly (readonly (readonly [string, number])[])[] = [
  [["payment", 1]],
  [
    ["charge", 0.6],
    ["refund", 0.2],
    ["list", 0.2],
  ],
  [
    ["2.3.9", 0.6],
    ["2.4.0", 0.4],
  ],
  [
    ["eu-west-1", 0.4],
    ["us-east-1", 0.4],
    ["ap-south-1", 0.2],
  ],
  [
    ["visa", 0.5],
    ["mastercard", 0.2],
    ["amex", 0.3],
  ],
  [
    ["free", 0.5],
    ["pro", 0.3],
    ["team", 0.2],
  ],
];

export type Attributes = Readonly<Record<string, string>>;

export interface LeafCase {
  readonly spans: number;
  readonly causes: readonly Attributes[];
  readonly rateInside: number;
  readonly rateOutside: number;
}

/** One leaf for each key drawn; each span of a cause's is bad at `rateInside`. */
export function drawLeaves(prng: Prng, leafCase: LeafCase): IsolationLeaf[] {
  const leaves = new Map<string, { key: string[]; count: number; bad: number; expected: number }>();
  for (let span = 0; span < leafCase.spans; span++) {
    const key = drawKey(prng);
    const inside = leafCase.causes.some((cause) => matches(key, cause));
    const rate = inside ? leafCase.rateInside : leafCase.rateOutside;
    const id = key.join("\n");
    const leaf = leaves.get(id) ?? { key, count: 0, bad: 0, expected: 0 };
    leaves.set(id, leaf);
    leaf.count += 1;
    leaf.bad += prng.next() < rate ? 1 : 0;
    leaf.expected += leafCase.rateOutside;
  }
  return [...leaves.values()];
}

/** A cause of `size` attributes drawn from the dimensions that carry information. */
export function drawCause(prng: Prng, size: number): Attributes {
  const left = [1, 2, 3, 4, 5];
  const cause: Record<string, string> = {};
  for (let drawn = 0; drawn < size; drawn++) {
    const [dimension] = left.splice(prng.integer(left.length), 1) as [number];
    const [value] = prng.pick(values[dimension] as readonly (readonly [string, number])[]);
    cause[caseDimensions[dimension] as string] = value;
  }
  return cause;
}

export function textOf(attributes: Attributes): string {
  return Object.entries(attributes)
    .map(([dimension, value]) => `${dimension}=${value}`)
    .sort()
    .join(" ");
}

function drawKey(prng: Prng): string[] {
  const key = values.map((choices) => drawValue(prng, choices));
  return [...key, `plan-${key[5]}`];
}

function drawValue(prng: Prng, choices: readonly (readonly [string, number])[]): string {
  let rest = prng.next();
  for (const [value, share] of choices) {
    rest -= share;
    if (rest < 0) return value;
  }
  return (choices[0] as readonly [string, number])[0];
}

function matches(key: readonly string[], cause: Attributes): boolean {
  return Object.entries(cause).every(
    ([dimension, value]) => key[caseDimensions.indexOf(dimension as "tier")] === value,
  );
}
