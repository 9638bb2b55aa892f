/** What goes wrong in a made-up system, and what a right answer to it is. */
import type { Prng } from "../../../base/prng.ts";
import type { World, WorldService } from "./generated-world.ts";

/**
 *   errors   a service fails by itself          slow     a service takes long by itself
 *   down     a service is gone                  store    a silent far side fails
 *   cut      calls between two fail             delay    calls between two take long
 *   hidden   inner work fails, the answer looks well until an entry cannot use it
 *   twins    two such in the same requests always: which of them did it cannot be known
 *   outside  customers no longer reach the system: nothing in it is to blame
 */
export const faultKinds = [
  "errors",
  "slow",
  "down",
  "store",
  "cut",
  "delay",
  "hidden",
  "twins",
  "outside",
] as const;

export type FaultKind = (typeof faultKinds)[number];

export interface Fault {
  readonly kind: FaultKind;
  readonly node: number;
  /** The caller of a fault between two, and of twins; -1 for none. */
  readonly from: number;
  /** The other of twins; -1 for none. */
  readonly other: number;
  /** Share of customers it meets, and of their calls it strikes. */
  readonly customers: number;
  readonly rate: number;
  readonly lostMs: number;
  /** Names of right answers; empty where none can be known. */
  readonly answers: readonly string[];
}

/** Undefined where the world has no place for it. */
export function drawFault(prng: Prng, world: World, kind: FaultKind): Fault | undefined {
  const { services, callers } = world;
  const fits = [...services.keys()].filter(
    (at) => (callers[at] ?? []).length > 0 && services[at]?.silent === (kind === "store"),
  );
  if (fits.length === 0) return undefined;
  const node = prng.pick(fits);
  const from = prng.pick(callers[node] ?? []);
  const siblings = (services[from]?.calls ?? [])
    .map(({ callee }) => callee)
    .filter((at) => at !== node && services[at]?.silent === false);
  if (kind === "twins" && siblings.length === 0) return undefined;
  const fault = {
    kind,
    node,
    from: isBetween(kind) || kind === "twins" ? from : -1,
    other: kind === "twins" ? prng.pick(siblings) : -1,
    customers: kind === "down" ? 1 : 0.2 + 0.8 * prng.next(),
    rate: kind === "down" ? 1 : 0.6 + 0.4 * prng.next(),
    lostMs: 500 + 1_500 * prng.next(),
  };
  return { ...fault, answers: answersTo(world, fault) };
}

function isBetween(kind: FaultKind): boolean {
  return kind === "cut" || kind === "delay";
}

/** With one caller only, a far side that does not answer and the way to it look alike. */
function answersTo(
  { services, callers }: World,
  { kind, node, from, rate }: Omit<Fault, "answers">,
): string[] {
  if (kind === "twins" || kind === "outside") return [];
  const nameOf = (at: number): string => (services[at] as WorldService).name;
  const name = nameOf(node);
  const all = callers[node] ?? [];
  const edges = (isBetween(kind) ? [from] : all).map((caller) => `${nameOf(caller)} → ${name}`);
  const looksAlike = all.length === 1 && (kind === "store" || kind === "down" || rate > 0.99);
  if (isBetween(kind)) return looksAlike ? [...edges, name] : edges;
  return looksAlike ? [name, ...edges] : [name];
}
