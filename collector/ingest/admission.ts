/** Why a batch that decodes is not taken: by what it says, or by the state the collector is in. */
import type { ErrorCode } from "../../base/errors.ts";
import { fail, type Result, refuse } from "../../base/result.ts";
import type { SequencedBatch, SketchBatch, WindowBatch } from "../../wire/sketch-batch.ts";
import type { Store } from "../store/store.ts";
import { silentAfterMs } from "../windows/liveness.ts";
import { placeOf, type WindowTable } from "../windows/window-table.ts";
import { numbersOf } from "./stream-state.ts";
import { intervalsMax, type Streams } from "./streams.ts";

export interface AdmissionOptions {
  readonly store: Store;
  readonly streams: Streams;
  readonly windows: WindowTable;
  readonly windowLengthMs: number;
  /** No more closed windows can be kept, so nothing new may come in. */
  readonly blocked: () => boolean;
  /** Numbers of the stream that are being made durable. */
  readonly pendingOf: (streamId: string) => readonly number[];
}

export type Refusal = Extract<Result<never>, { readonly ok: false }>;

/** Agents add their own jitter. */
const retryAfterMs = 5_000;

export class Admission {
  readonly #options: AdmissionOptions;
  /** The key all customers in memory are hashed with, and when it was last used. */
  #hashKey = { id: "", usedMs: Number.NEGATIVE_INFINITY };

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  /** Why this is no time for a batch of this agent, whatever is in it. */
  problemOfSender(batch: SketchBatch, nowMs: number): Refusal | undefined {
    const { streams, store, blocked } = this.#options;
    if (store.isUnproven) return refuseForNow("STORE_WRITE", "the log waits for the disk");
    if (blocked()) return refuseForNow("STORE_WRITE", "closed windows wait for the disk");
    if (!streams.hasRoomFor(batch.streamId, nowMs)) {
      return refuseForNow("OVERLOADED", `${streams.size} streams are known, no more fit`);
    }
    return this.#hashKeyProblem(batch, nowMs);
  }

  /** Why a record whose number is new is not taken. */
  problemOfRecord(batch: SequencedBatch, nowMs: number): Refusal | undefined {
    const problem =
      this.problemOfSender(batch, nowMs) ??
      (batch.kind === "window" ? this.#lengthProblem(batch) : undefined) ??
      this.#holesProblem(batch);
    const isFree = problem === undefined && batch.kind === "window" && batch.hashKeyId !== "";
    if (isFree) this.#hashKey = { id: batch.hashKeyId, usedMs: nowMs };
    return problem;
  }

  /** A record of the log is applied again. */
  replay(batch: WindowBatch, receivedMs: number): void {
    this.#hashKey = { id: batch.hashKeyId, usedMs: receivedMs };
  }

  #lengthProblem({ windowLengthMs }: WindowBatch): Refusal | undefined {
    const { windowLengthMs: ours, store } = this.#options;
    if (store.takes(windowLengthMs)) return undefined;
    return refuse(
      "BATCH_INVALID",
      `windows of ${windowLengthMs} ms, this collector has ${ours} ms; set both alike`,
    );
  }

  /** Registers under different keys say nothing about each other, so they are never merged. */
  #hashKeyProblem(batch: SketchBatch, nowMs: number): Refusal | undefined {
    const { windows, store } = this.#options;
    const { hashKeyId, kind } = batch;
    if (hashKeyId === "" || kind === "tombstone" || kind === "gap") return undefined;
    const place = kind === "window" ? store.placeFor(placeOf(batch)) : undefined;
    const free = nowMs - this.#hashKey.usedMs >= silentAfterMs && windows.openCount === 0;
    const other = [
      free ? "" : this.#hashKey.id,
      place === undefined ? "" : windows.hashKeyOf(place),
      place === undefined ? "" : store.segmentMeta(place.startMs, place.lengthMs)?.hashKeyId,
    ].find((id) => id !== undefined && id !== "" && id !== hashKeyId);
    if (other === undefined) return undefined;
    return refuse(
      "HASH_KEY_MISMATCH",
      `customers hashed with key ${hashKeyId}, others with ${other}; give all agents one key`,
    );
  }

  /** A number given up to save room could be lost, one forgotten could count twice: neither. */
  #holesProblem(batch: SequencedBatch): Refusal | undefined {
    const { streams, pendingOf } = this.#options;
    const pending = pendingOf(batch.streamId);
    const numbers = [...pending, ...numbersOf(batch)].sort((a, b) => a - b);
    const intervals = streams.intervalsWith(batch.streamId, numbers);
    if (intervals <= intervalsMax) return undefined;
    return refuse(
      "STREAM_GAPS",
      `the stream would be in ${intervals} intervals, at most ${intervalsMax}; send the oldest record first`,
    );
  }
}

function refuseForNow(code: ErrorCode, message: string): Refusal {
  return fail({ code, message: `${message}; try again`, retryAfterMs });
}
