/**
 * Which key a span is filed under when there may be more keys than the window has room for.
 *
 * First, each dimension that a sender can fill has its own cap; a new value beyond it becomes
 * "(other)". Then, three quarters of the room is for whole keys. When it is taken, a key seen before
 * keeps its detail and a new one is folded: the least important dimension first, and the next ones
 * as the last quarter fills, one slice of it for each step. Keys of many spans come early, so they
 * are the ones that keep their detail. The last step keeps service and kind, always has room, and
 * the number of services is itself capped. Failures are counted inside cells, so what is folded
 * changes no service's counts or error rate.
 *
 * Keys of metrics have room of their own, beside that of spans, and are never folded: values of
 * several metrics do not add up. One too many is not taken.
 */
import {
  builtInDimensions,
  findKey,
  intern,
  type KeyId,
  type KeyTable,
  noKey,
  overflowValue,
} from "../../sketch/key.ts";

export interface KeyLimits {
  readonly keysMax: number;
  readonly servicesMax: number;
  readonly operationsMax: number;
  readonly peersMax: number;
  readonly dimensionValuesMax: number;
  readonly metricKeysMax: number;
}

export interface Admission {
  readonly key: KeyId;
  /** Bit i is set when the value of dimension i was folded. */
  readonly folded: number;
}

interface Cap {
  readonly dimension: number;
  readonly valuesMax: number;
  readonly values: Set<string>;
}

export interface KeyAdmission {
  /** The key's id in the table, folded where there is no room. */
  admit(key: readonly string[]): Admission;
  /** The id of a metric's key; `noKey` when there are as many as there may be. */
  admitMetric(key: readonly string[]): KeyId;
}

const wholeKeysShare = 0.75;
/** As many as `span.kind` has. */
const kindsMax = 5;

const serviceDimension = builtInDimensions.indexOf("service.name");
const operationDimension = builtInDimensions.indexOf("operation");
const peerDimension = builtInDimensions.indexOf("peer");

/** The dimensions to fold, least important first. */
function foldOrder(dimensionCount: number): readonly number[] {
  const users: number[] = [];
  for (let index = dimensionCount - 1; index >= builtInDimensions.length; index--)
    users.push(index);
  return [
    ...users,
    builtInDimensions.indexOf("service.version"),
    builtInDimensions.indexOf("cloud.region"),
    builtInDimensions.indexOf("deployment.environment.name"),
    peerDimension,
    operationDimension,
  ];
}

/** How many keys a table needs to hold: the last step of folding is beyond `keysMax`. */
export function tableKeysMax(limits: KeyLimits): number {
  return limits.keysMax + (limits.servicesMax + 1) * kindsMax + limits.metricKeysMax;
}

/** The window that fills, the one in grace, and one either side for clocks that differ. */
const openWindowsUsual = 4;

/** Keys of all open windows together; what is late must not take more than the present needs. */
export function openKeysMax(limits: KeyLimits): number {
  return openWindowsUsual * tableKeysMax(limits);
}

export function createKeyAdmission(table: KeyTable, limits: KeyLimits): KeyAdmission {
  const order = foldOrder(table.dimensions.length);
  const caps = capsOf(table.dimensions.length, limits);
  let metricKeys = 0;
  return {
    admit(key) {
      const values = [...key];
      let folded = 0;
      for (const cap of caps) if (!isAllowed(cap, values)) folded |= foldAt(values, cap.dimension);
      for (let step = 0; step <= order.length; step++) {
        const known = findKey(table, values);
        if (known !== undefined) return { key: known, folded };
        if (table.size - metricKeys < roomAfter(step, order.length, limits.keysMax)) break;
        if (step < order.length) folded |= foldAt(values, order[step] as number);
      }
      return { key: intern(table, values), folded };
    },
    admitMetric(key) {
      const known = findKey(table, key);
      if (known !== undefined) return known;
      if (metricKeys >= limits.metricKeysMax) return noKey;
      metricKeys++;
      return intern(table, key);
    },
  };
}

/** How full the table may be for a key folded `step` times to enter. */
function roomAfter(step: number, stepsMax: number, keysMax: number): number {
  if (step === stepsMax) return Number.POSITIVE_INFINITY;
  const share = wholeKeysShare + ((1 - wholeKeysShare) * step) / (stepsMax - 1);
  return Math.floor(keysMax * share);
}

function capsOf(dimensionCount: number, limits: KeyLimits): Cap[] {
  const cap = (dimension: number, valuesMax: number): Cap => ({
    dimension,
    valuesMax,
    values: new Set(),
  });
  const caps = [
    cap(serviceDimension, limits.servicesMax),
    cap(operationDimension, limits.operationsMax),
    cap(peerDimension, limits.peersMax),
  ];
  for (let index = builtInDimensions.length; index < dimensionCount; index++) {
    caps.push(cap(index, limits.dimensionValuesMax));
  }
  return caps;
}

/** An absent value needs no room. */
function isAllowed(cap: Cap, values: readonly string[]): boolean {
  const value = values[cap.dimension] as string;
  if (value === "" || value === overflowValue || cap.values.has(value)) return true;
  if (cap.values.size >= cap.valuesMax) return false;
  cap.values.add(value);
  return true;
}

/** Folds one value; the bit of its dimension, or 0 when nothing was lost by it. */
function foldAt(values: string[], dimension: number): number {
  const value = values[dimension] as string;
  // A kind without a far side stays without one: folding it would say that it has.
  if (value === overflowValue || (value === "" && dimension === peerDimension)) return 0;
  values[dimension] = overflowValue;
  return value === "" ? 0 : 1 << dimension;
}
