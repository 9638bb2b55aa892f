/**
 * Knows every input and judges by what the collector stored; the product never judges itself.
 *
 * For each agent and operation (a life of the agent and a window) it holds what was taken, and how
 * much of that may be missing: spans of windows that were still open in memory when the agent was
 * killed. What else is missing must have been declared lost, record by record.
 */
import { addHll, createHll, type Hll } from "../../sketch/hll.ts";
import { createSipKey, sipHash24 } from "../../sketch/sip-hash.ts";
import { decodeSketchBatch, type GapBatch, type TombstoneBatch } from "../../wire/sketch-batch.ts";
import { customerName, type SimRequest, simWindowMs } from "./workload.ts";

export interface Tally {
  spans: number;
  errors: number;
  readonly customers: Hll;
}

export interface Taken extends Tally {
  readonly agent: string;
  readonly life: number;
  readonly windowStartMs: number;
  /** Spans that a kill may have taken with it: they need not have been durable yet. */
  atRisk: number;
  /**
   * Of those, the ones no gap tells of: taken after their window was sealed, or by an agent with
   * nothing on its disk yet that says it ever listened.
   */
  untoldAtRisk: number;
}

interface Unsealed {
  readonly taken: Taken;
  readonly endMs: number;
  readonly spans: number;
  readonly isLate: boolean;
  /** Since when, in true time, its window is past its end and grace by the agent's clock. */
  dueSinceMs: number | undefined;
}

/** The second byte of a record says its kind. */
const tombstoneKind = 2;
const gapKind = 3;
/** A window is sealed so long after its end. */
const graceMs = 5_000;
/** From the moment a window is due until its record is durable: a tick and some slow disk. */
export const durableAfterMs = 12_000;

export class Oracle {
  /** By agent and operation. */
  readonly taken = new Map<string, Taken>();
  /** Tombstones that reached the collector, by stream and number. */
  readonly tombstones = new Map<string, TombstoneBatch>();
  readonly gaps = new Map<string, GapBatch>();
  readonly #unsealed = new Map<string, Unsealed[]>();
  /** Agents that have made something durable. */
  readonly #hasDurable = new Set<string>();
  readonly #hashes: readonly (readonly [number, number])[];

  constructor(hashKey: Uint8Array, customers: number) {
    const key = createSipKey(hashKey);
    const out = new Uint32Array(2);
    this.#hashes = Array.from({ length: customers }, (_, customer) => {
      const name = new TextEncoder().encode(customerName(customer));
      sipHash24(key, name, 0, name.length, out);
      return [out[0] as number, out[1] as number] as const;
    });
  }

  /** An agent said it took the request. */
  take(agent: string, by: { life: number; nowMs: number }, request: SimRequest): void {
    const { life } = by;
    const name = keyOf(agent, request.operation);
    let taken = this.taken.get(name);
    if (taken === undefined) {
      const windowStartMs = Math.floor(request.endMs / simWindowMs) * simWindowMs;
      taken = { agent, life, windowStartMs, atRisk: 0, untoldAtRisk: 0, ...createTally() };
      this.taken.set(name, taken);
    }
    for (const { failed, customer } of request.spans) {
      const [low, high] = this.#hashes[customer] as readonly [number, number];
      taken.spans++;
      if (failed) taken.errors++;
      addHll(taken.customers, low, high);
    }
    const unsealed = this.#unsealed.get(agent) ?? [];
    unsealed.push({
      taken,
      endMs: taken.windowStartMs + simWindowMs,
      spans: request.spans.length,
      isLate: by.nowMs >= taken.windowStartMs + simWindowMs + graceMs,
      dueSinceMs: undefined,
    });
    this.#unsealed.set(agent, unsealed);
  }

  /**
   * To be told now and then. Forgets what must be durable by now; while the agent's disk refuses,
   * nothing must.
   */
  passTime(agent: string, at: { nowMs: number; agentMs: number; isDiskWell: boolean }): void {
    const unsealed = this.#unsealed.get(agent) ?? [];
    const still = unsealed.filter((request) => {
      const isDue = at.isDiskWell && at.agentMs >= request.endMs + graceMs;
      request.dueSinceMs = isDue ? (request.dueSinceMs ?? at.nowMs) : undefined;
      return request.dueSinceMs === undefined || at.nowMs < request.dueSinceMs + durableAfterMs;
    });
    if (still.length < unsealed.length) this.#hasDurable.add(agent);
    this.#unsealed.set(agent, still);
  }

  /** The agent was killed: what it had not made durable may be gone. */
  kill(agent: string): void {
    for (const { taken, spans, isLate } of this.#unsealed.get(agent) ?? []) {
      taken.atRisk += spans;
      if (isLate || !this.#hasDurable.has(agent)) taken.untoldAtRisk += spans;
    }
    this.#unsealed.set(agent, []);
  }

  /** The agent ended in order, so it made everything durable. */
  end(agent: string): void {
    this.#unsealed.set(agent, []);
  }

  /** A record is about to reach the collector; of declarations the oracle takes note. */
  arrive(bytes: Uint8Array): void {
    if (bytes[1] !== tombstoneKind && bytes[1] !== gapKind) return;
    const decoded = decodeSketchBatch(bytes);
    if (!decoded.ok) throw new Error(`an agent sent what cannot be read: ${decoded.error.message}`);
    const record = decoded.value;
    const name = `${record.streamId} ${record.seq}`;
    if (record.kind === "tombstone") this.tombstones.set(name, record);
    if (record.kind === "gap") this.gaps.set(name, record);
  }
}

export function keyOf(agent: string, operation: string): string {
  return `${agent} ${operation}`;
}

export function createTally(): Tally {
  return { spans: 0, errors: 0, customers: createHll() };
}
