/**
 * The collector without its sockets: takes sketch batches, merges them into windows, closes
 * windows and has them decided.
 *
 * Memory is rebuilt from the store before anything is accepted.
 */
import { type Cancel, type Clock, every } from "../base/clock.ts";
import type { Disk } from "../base/disk.ts";
import type { Log } from "../base/log.ts";
import type { Meter } from "../base/meter.ts";
import { fail, type Problem, type Result } from "../base/result.ts";
import { type Ack, type CollectorLink, refusalOf, type Thresholds } from "../wire/agent-link.ts";
import type {
  IncidentDetail,
  KeySummary,
  LedgerReport,
  RootCauseGraph,
  StreamEvent,
  WindowSummary,
} from "../wire/api-types.ts";
import type { CollectorConfig } from "./config.ts";
import type { Decider } from "./decide.ts";
import { Ingest } from "./ingest/ingest.ts";
import { ledgerOf } from "./ingest/ledger.ts";
import { Streams } from "./ingest/streams.ts";
import { addCollectorMetrics, addLedgerMetrics } from "./metrics.ts";
import type { Post } from "./notify/http-post.ts";
import { type KeyQuery, listKeys, listWindows } from "./queries.ts";
import { createFileStore, type Store } from "./store/store.ts";
import { historyMsOf, storeOptions } from "./store-options.ts";
import { createLosses } from "./windows/add-cube.ts";
import { Closings } from "./windows/closing.ts";
import { corruptRecords } from "./windows/closing-counters.ts";
import { coverageNow } from "./windows/liveness.ts";
import { WindowCloser } from "./windows/window-closer.ts";
import { WindowTable } from "./windows/window-table.ts";

export interface CollectorSettings {
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: Meter;
  readonly decider: Decider;
  /** Where the store keeps its files. */
  readonly disk: Disk;
  /** Tests may bring their own; by default plain files under `dataDir`. */
  readonly store?: Store;
  /** How alerts leave; by default over HTTP. */
  readonly post?: Post;
  /** Uniform in [0, 1), for the jitter of pauses. */
  readonly chance?: () => number;
}

export interface CollectorCore {
  /** Rebuilds memory from the store; resolves when batches are taken. @throws STORE_LOCKED */
  start(): Promise<void>;
  /** Safe without start and twice; nothing runs after it. Open windows stay in the log. */
  shutdown(): Promise<void>;
  /** Resolves when everything accepted is applied and every window due is decided. */
  settled(): Promise<void>;
  /** Calls back whenever there are new events in the store's ring. */
  onEvents(listener: (events: readonly StreamEvent[]) => void): void;
  readonly link: CollectorLink;
  readonly store: Store;
  readonly streams: Streams;
  readonly windows: WindowTable;
  /** Acknowledges a batch once it is durable, or says why not. @throws STORE_WRITE */
  accept(bytes: Uint8Array): Promise<Result<Ack>>;
  thresholds(): Thresholds;
  incidents(): readonly IncidentDetail[];
  incident(id: string): IncidentDetail | undefined;
  graph(): RootCauseGraph;
  keys(query: KeyQuery): Promise<Result<readonly KeySummary[]>>;
  closedWindows(limit: number): readonly WindowSummary[];
  /** What became of every span that agents sealed. */
  ledger(): LedgerReport;
  /** Why the collector is not ready; undefined when it is. */
  notReady(): Problem | undefined;
}

const checkEveryMs = 500;
const rotateLogEveryMs = 60_000;
const proveLogEveryMs = 5_000;
/** A key calls few others. */
const edgesPerKey = 2;
const notReadyRetryMs = 1_000;

type Phase = "new" | "recovering" | "ready" | "stopped";

export function createCollectorCore(
  config: CollectorConfig,
  settings: CollectorSettings,
): CollectorCore {
  return new Core(config, settings);
}

class Core implements CollectorCore {
  readonly store: Store;
  readonly streams: Streams;
  readonly windows: WindowTable;
  readonly link: CollectorLink;
  readonly #config: CollectorConfig;
  readonly #settings: CollectorSettings;
  readonly #closings: Closings;
  readonly #ingest: Ingest;
  readonly #closer: WindowCloser;
  #listener: (events: readonly StreamEvent[]) => void = () => {};
  #phase: Phase = "new";
  #cancels: Cancel[] = [];
  #stopped: Promise<void> | undefined;

  constructor(config: CollectorConfig, settings: CollectorSettings) {
    const { clock, log, meter, decider } = settings;
    const { windowLengthMs, keysMax, halfEdgesMax } = config;
    const limits = { keysMax, edgesMax: keysMax * edgesPerKey, halfEdgesMax };
    const losses = createLosses();
    this.#config = config;
    this.#settings = settings;
    this.store = settings.store ?? createFileStore(storeOptions(config, settings));
    this.streams = new Streams(config.streamsMax);
    const { store, streams } = this;
    const shared = { limits, losses, windowLengthMs };
    this.windows = new WindowTable({ ...shared, historyMs: historyMsOf(config) });
    const { windows } = this;
    this.#closings = new Closings({
      ...{ ...shared, log, meter, decider, store },
      publish: (events) => this.#listener(events),
    });
    this.#ingest = new Ingest({
      ...{ clock, meter, store, streams, windows, windowLengthMs },
      thresholdsRevision: () => decider.thresholds().revision,
      blocked: () => this.#closings.blocked,
      onHeard: () => this.#closeDue(),
    });
    const allStreams = () => streams.values();
    const closings = this.#closings;
    this.#closer = new WindowCloser({
      ...{ log, windowLengthMs, windows, closings, streams: allStreams },
    });
    this.link = {
      send: async (batch) => {
        const taken = await this.accept(batch);
        if (!taken.ok) throw refusalOf(taken.error);
        return taken.value;
      },
      thresholds: async () => this.thresholds(),
    };
    addLedgerMetrics(meter, allStreams);
    addCollectorMetrics(meter, {
      ...{ store, streams, losses, windows, decider },
      coverageNow: () => coverageNow(allStreams(), clock.nowMs()),
      coverage: () => this.#closer.coverage,
      closeLagMs: () => this.#closer.lagMs,
    });
  }

  onEvents(listener: (events: readonly StreamEvent[]) => void): void {
    this.#listener = listener;
  }

  async start(): Promise<void> {
    if (this.#phase !== "new") return;
    this.#phase = "recovering";
    await this.#recover();
    if (this.#stopped !== undefined) return;
    const { clock } = this.#settings;
    this.#cancels = [
      every(clock, checkEveryMs, () => this.#closeDue()),
      every(clock, rotateLogEveryMs, () => this.#rotateLog()),
      every(clock, proveLogEveryMs, () => {
        if (this.store.isUnproven) this.#rotateLog();
      }),
    ];
    this.#phase = "ready";
    this.#closeDue();
  }

  async #recover(): Promise<void> {
    const { meter, log, clock } = this.#settings;
    const countCorrupt = (records: number): void => {
      meter.counter(...corruptRecords).add(records);
      if (records > 0) log.warn("stored records are damaged and were skipped", { records });
    };
    countCorrupt(0);
    await this.store.recover(this.#ingest.visitor(countCorrupt), () => this.streams.encode());
    this.streams.expectFrom(clock.nowMs());
    await this.#closings.recover();
    for (const { closing, windowEndMs } of this.store.segmentsNewestFirst()) {
      if (closing > 0) this.windows.markClosed(windowEndMs);
    }
    this.windows.start(clock.nowMs());
  }

  async accept(bytes: Uint8Array): Promise<Result<Ack>> {
    const problem = this.notReady();
    if (problem?.code === "NOT_READY") return fail(problem);
    return this.#ingest.accept(bytes);
  }

  thresholds(): Thresholds {
    return this.#settings.decider.thresholds();
  }

  incidents(): readonly IncidentDetail[] {
    return this.#settings.decider.incidents();
  }

  incident(id: string): IncidentDetail | undefined {
    return this.#settings.decider.incident(id);
  }

  graph(): RootCauseGraph {
    return this.#settings.decider.graph();
  }

  keys(query: KeyQuery): Promise<Result<readonly KeySummary[]>> {
    return listKeys(this.store, query, this.#config.keysMax);
  }

  closedWindows(limit: number): readonly WindowSummary[] {
    return listWindows(this.store, limit);
  }

  ledger(): LedgerReport {
    return ledgerOf(this.streams.values());
  }

  notReady(): Problem | undefined {
    if (this.#phase !== "ready") {
      const message = this.#phase === "stopped" ? "stopping; try again" : "recovering; try again";
      return { code: "NOT_READY", message, retryAfterMs: notReadyRetryMs };
    }
    if (!this.store.failed && !this.#closings.blocked) return undefined;
    return { code: "STORE_WRITE", message: "the disk refuses writes; free space or replace it" };
  }

  #closeDue(): void {
    // A stored window must not hold what the log may still lose.
    if (this.#phase !== "ready" || this.store.isUnproven) return;
    this.#closer.closeDue(this.#settings.clock.nowMs());
  }

  #rotateLog(): void {
    this.#closings.maintain(this.#settings.clock.nowMs());
    this.store.rotateLog().catch((cause: unknown) => {
      this.#settings.log.error("the log cannot be rotated", { reason: String(cause) });
    });
  }

  async settled(): Promise<void> {
    await this.store.idle();
    this.#closeDue();
    await this.#closings.settled();
  }

  shutdown(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    const wasReady = this.#phase === "ready";
    this.#phase = "stopped";
    for (const cancel of this.#cancels) cancel();
    if (wasReady) {
      await this.store.idle();
      await this.#closings.settled();
      await this.#closings.saveDecider();
    }
    await this.store.close();
  }
}
