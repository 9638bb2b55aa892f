/**
 * A window's cells rolled up to the rows that are tested: what fails or is slow, at every grain at
 * which a fault can be plain while it is faint at the others.
 *
 *   service    all calls into a service               is it bad for those who call it?
 *   operation  one operation of a service             where customers enter, who is hurt there
 *   origin     bad spans that began in the service    is it to blame?
 *   call       all calls of a service to one far side are they to blame?
 *   key        one composite key                      which attributes are to blame?
 */
import type { CellView } from "../../sketch/cell-table.ts";
import type { Cube } from "../../sketch/cube.ts";
import { createHistogram, type Histogram } from "../../sketch/histogram.ts";
import { createHll, type Hll } from "../../sketch/hll.ts";
import { type CompositeKey, keyOf } from "../../sketch/key.ts";
import type { Signal } from "../../wire/api-types.ts";

export type Scope = "service" | "operation" | "origin" | "call" | "key";

/** What names a row for as long as the collector lives. */
export interface RowName {
  readonly id: string;
  readonly scope: Scope;
  readonly signal: Signal;
  readonly service: string;
  readonly operation: string;
  readonly kind: string;
  readonly peer: string;
  /** The composite key of a `key` row. */
  readonly key: CompositeKey | undefined;
}

export interface SignalRow extends RowName {
  count: number;
  bad: number;
  /** Bad spans none of whose local children was bad. */
  originBad: number;
  /** Customers with a bad span; undefined while there is none. */
  customersBad: Hll | undefined;
}

/** One operation's durations: from these its threshold for slow is learnt. */
export interface OperationDurations {
  readonly id: string;
  readonly service: string;
  readonly operation: string;
  readonly kind: string;
  readonly peer: string;
  readonly durationNs: Histogram;
}

export interface RolledUp {
  readonly rows: ReadonlyMap<string, SignalRow>;
  /** Everyone seen at a service, hurt or not. */
  readonly customersSeen: ReadonlyMap<string, Hll>;
  readonly operations: ReadonlyMap<string, OperationDurations>;
}

/** Whether spans of an operation could be slow in this window: its threshold was in force. */
export type IsSlowKnown = (operationId: string) => boolean;

const signals: readonly Signal[] = ["errors", "slow"];

/** Names an operation across versions, regions and the user's dimensions. */
function operationIdOf(name: {
  readonly service: string;
  readonly operation: string;
  readonly kind: string;
  readonly peer: string;
}): string {
  return [name.service, name.operation, name.kind, name.peer].join("\0");
}

/** Calls going out: they tell of the far side, and never begin anything here. */
export function isOutgoing(kind: string): boolean {
  return kind === "client" || kind === "producer";
}

export function rollUp(cube: Cube, isSlowKnown: IsSlowKnown): RolledUp {
  const rows = new Map<string, SignalRow>();
  const operations = new Map<string, OperationDurations>();
  const customersSeen = new Map<string, Hll>();
  for (const [keyId, cell] of cube.cells) {
    const key = keyOf(cube.keys, keyId);
    const [service = "", operation = "", kind = "", peer = ""] = key;
    const id = operationIdOf({ service, operation, kind, peer });
    const named = { service, operation, kind, peer, key };
    addDurations(operations, { id, ...named }, cell);
    const seen = customersSeen.get(service) ?? createHll();
    customersSeen.set(service, seen);
    cell.addCustomersTo(seen, "all");
    for (const signal of signals) {
      if (signal === "slow" && !isSlowKnown(id)) continue;
      for (const name of rowNames(named, signal)) addCell(rows, name, cell);
    }
  }
  return { rows, operations, customersSeen };
}

function addDurations(
  operations: Map<string, OperationDurations>,
  name: Omit<OperationDurations, "durationNs">,
  cell: CellView,
): void {
  let entry = operations.get(name.id);
  if (entry === undefined) {
    const { id, service, operation, kind, peer } = name;
    entry = { id, service, operation, kind, peer, durationNs: createHistogram() };
    operations.set(id, entry);
  }
  cell.addDurationsTo(entry.durationNs);
}

/** The rows a key counts into. Spans inside a service count for blame only. */
function* rowNames(
  named: Omit<RowName, "id" | "scope" | "signal" | "key"> & { readonly key: CompositeKey },
  signal: Signal,
): Generator<RowName> {
  const { service, operation, kind, peer, key } = named;
  const row = (scope: Scope, name: Partial<RowName>): RowName => {
    const full = { operation: "", kind: "", peer: "", key: undefined, ...name };
    const { key: rowKey } = full;
    const parts = rowKey ?? [service, full.operation, full.kind, full.peer];
    return { ...full, id: [scope, signal, ...parts].join("\0"), scope, signal, service };
  };
  yield row("key", { operation, kind, peer, key });
  if (isOutgoing(kind)) {
    yield row("call", { kind, peer });
    return;
  }
  yield row("origin", {});
  if (kind === "internal") return;
  yield row("service", {});
  yield row("operation", { operation, kind, peer });
}

function addCell(rows: Map<string, SignalRow>, name: RowName, cell: CellView): void {
  let row = rows.get(name.id);
  if (row === undefined) {
    row = { ...name, count: 0, bad: 0, originBad: 0, customersBad: undefined };
    rows.set(name.id, row);
  }
  const failed = name.signal === "errors";
  const originBad = failed ? cell.originErrors : cell.originSlow;
  const bad = name.scope === "origin" ? originBad : failed ? cell.errors : cell.slow;
  row.count += cell.count;
  row.bad += bad;
  row.originBad += originBad;
  if (bad === 0) return;
  row.customersBad ??= createHll();
  cell.addCustomersTo(row.customersBad, failed ? "failed" : "slow");
}
