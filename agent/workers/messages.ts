/**
 * What a worker process and its parent say to each other. Messages of one worker arrive in the
 * order sent; typed arrays travel as bytes.
 */
import type { ErrorCode } from "../../base/errors.ts";
import type { Labels } from "../../base/meter.ts";
import type { CompositeKey } from "../../sketch/key.ts";
import type { Thresholds } from "../../wire/agent-link.ts";
import type { AgentConfig } from "../config.ts";

export type FromWorker =
  /** It hears now; what was sent before is lost. */
  | { readonly type: "ready" }
  | { readonly type: "listening"; readonly ports: Ports }
  | { readonly type: "failed"; readonly code: ErrorCode; readonly message: string }
  | RowsMessage
  | SealedMessage
  /** Everything due at the time asked for has been sent. */
  | { readonly type: "sealed up to"; readonly turn: number; readonly rejected: number }
  | { readonly type: "figures"; readonly turn: number; readonly figures: readonly Figure[] }
  | { readonly type: "metrics wanted"; readonly question: number }
  /** No request is in progress, and none will come. */
  | { readonly type: "closed" };

export type ToWorker =
  | StartMessage
  | { readonly type: "adopt"; readonly thresholds: Thresholds; readonly fromMs: number }
  /** So much is to be added to the clock, and to the times of spans. */
  | { readonly type: "correct"; readonly correctionMs: number }
  /** Seals what is due at `nowMs`, or everything. */
  | { readonly type: "seal"; readonly turn: number; readonly nowMs: number; readonly all: boolean }
  | { readonly type: "taken"; readonly rows: number }
  | { readonly type: "degraded"; readonly degraded: string | undefined }
  | { readonly type: "figures wanted"; readonly turn: number }
  | { readonly type: "metrics"; readonly question: number; readonly text: string }
  | { readonly type: "close" };

export interface Ports {
  readonly grpc: number;
  readonly http: number;
}

export interface StartMessage {
  readonly type: "start";
  /** What one worker may use; `hashKey` is sent by itself. */
  readonly config: Omit<AgentConfig, "hashKey">;
  readonly hashKey: Uint8Array;
  /** The same for all workers, so that what they hash agrees. */
  readonly tableKey: Uint8Array;
  readonly epochMs: number;
  readonly lateSegmentsMax: number;
  readonly thresholds: readonly { readonly thresholds: Thresholds; readonly fromMs: number }[];
  readonly correctionMs: number;
  /** What GET /readyz says beside that spans are taken. */
  readonly degraded: string | undefined;
}

/** Spans for pairing. See `RowLog` for the columns. */
export interface RowsMessage {
  readonly type: "rows";
  readonly segments: readonly SegmentKeys[];
  readonly words: Uint32Array;
  readonly times: Float64Array;
  readonly links: Uint32Array;
}

/** Keys of a segment that its rows and half-edges name, in the order of their ids from `first`. */
export interface SegmentKeys {
  readonly segment: number;
  readonly windowStartMs: number;
  readonly first: number;
  readonly keys: readonly CompositeKey[];
}

/** The cells of one segment, all of it that the sender has. */
export interface SealedMessage {
  readonly type: "sealed";
  readonly segment: number;
  readonly windowStartMs: number;
  readonly thresholdsRevision: number;
  /** As `encodeCube` writes it. */
  readonly cube: Uint8Array;
  /** As `encodeHll` writes it. */
  readonly demand: Uint8Array;
  /** By dimension. */
  readonly foldedSpans: Float64Array;
  readonly localServices: readonly string[];
  readonly spans: number;
  readonly errors: number;
  readonly late: number;
}

/** A counter's growth since it was last told, or a gauge's value. */
export interface Figure {
  readonly kind: "counter" | "gauge";
  readonly name: string;
  readonly help: string;
  readonly labels: Labels;
  readonly value: number;
}
