/** Incident graphs in few words, for the root-cause tests. */
import {
  type CauseEdge,
  type CauseGraph,
  type CauseNode,
  type Excess,
  type GapShift,
  noExcess,
} from "../../dependency-graph/cause-graph.ts";
import { addHll, createHll, type Hll } from "../../sketch/hll.ts";

/** Bad of count; `by` = the range of customers hurt, `at` = window of onset. */
export interface Seen {
  readonly bad: number;
  readonly count?: number;
  readonly by?: readonly [number, number];
  readonly at?: number;
}

export interface NodeCase {
  readonly server?: Seen;
  readonly origin?: Seen;
  readonly virtual?: boolean;
  readonly silent?: boolean;
  /** The range of customers seen, hurt or not. */
  readonly everyone?: readonly [number, number];
}

export interface CallCase extends Seen {
  readonly gap?: GapShift;
}

export interface GraphCase {
  readonly signal?: "errors" | "slow";
  readonly nodes: Readonly<Record<string, NodeCase>>;
  /** "caller>callee" */
  readonly calls: Readonly<Record<string, CallCase>>;
}

const windowMs = 10_000;
const spread = 0x9e3779b1;

/** Customers numbered `from` up to `to`, hashed apart. */
export function customers([from, to]: readonly [number, number]): Hll {
  const hll = createHll();
  for (let id = from; id < to; id++) addHll(hll, mix(id), mix(id ^ 0x5bd1e995));
  return hll;
}

export function seen({ bad, count = 40, by, at = 0 }: Seen): Excess {
  const expected = count * 0.01;
  const significant = bad >= 3 && bad > 4 * expected;
  return {
    count,
    bad,
    expected,
    significant,
    onsetMs: bad > 0 ? at * windowMs : undefined,
    customersBad: by === undefined ? undefined : customers(by),
  };
}

export function graphOf({ signal = "errors", nodes, calls }: GraphCase): CauseGraph {
  return {
    signal,
    nodes: Object.entries(nodes).map(
      ([id, node]): CauseNode => ({
        id,
        virtual: node.virtual ?? false,
        silent: node.silent ?? false,
        server:
          node.virtual || node.silent ? noExcess : seen(node.server ?? node.origin ?? { bad: 0 }),
        origin: node.origin === undefined ? noExcess : seen(node.origin),
        customersSeen: node.everyone === undefined ? undefined : customers(node.everyone),
      }),
    ),
    edges: Object.entries(calls).map(([name, call]): CauseEdge => {
      const [caller = "", callee = ""] = name.split(">");
      return { caller, callee, calls: seen(call), gap: call.gap };
    }),
  };
}

function mix(value: number): number {
  let mixed = Math.imul(value + 1, spread);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
