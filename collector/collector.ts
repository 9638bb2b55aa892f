/**
 * The collector: takes sketch batches, merges them into windows, closes windows, has them decided,
 * and tells everybody who follows.
 *
 * Memory is rebuilt from the store before anything is accepted; until then only `/livez` answers.
 */
import { type Cancel, type Clock, every } from "../base/clock.ts";
import type { Disk } from "../base/disk.ts";
import { OperationalError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Meter } from "../base/meter.ts";
import type { Problem } from "../base/result.ts";
import type { CollectorLink } from "../wire/agent-link.ts";
import { accessByFile } from "./access/token-file.ts";
import { createEventStream, type EventStream } from "./api/event-stream.ts";
import { type ApiSource, withoutDetail } from "./api/routes.ts";
import { type Server, startServer } from "./api/server.ts";
import { readUiManifest } from "./api/ui-manifest.ts";
import type { CollectorConfig } from "./config.ts";
import type { Decider } from "./decide.ts";
import { Ingest } from "./ingest/ingest.ts";
import { Streams } from "./ingest/streams.ts";
import { addCollectorMetrics } from "./metrics.ts";
import { listKeys, listWindows } from "./queries.ts";
import { createFileStore, type Store } from "./store/store.ts";
import { createLosses } from "./windows/add-cube.ts";
import { Closings, corruptRecords } from "./windows/closing.ts";
import { coverageOf, learnWeights, liveWatermarkMs } from "./windows/liveness.ts";
import type { WindowState } from "./windows/window-state.ts";
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
}

export interface Collector {
  /** Resolves when batches are taken. @throws ADDRESS_IN_USE */
  start(): Promise<void>;
  /** Safe without start and twice; nothing runs after it. Open windows stay in the log. */
  shutdown(): Promise<void>;
  /** 0 until started. */
  readonly port: number;
  readonly link: CollectorLink;
  /** Resolves when everything accepted is applied and every window due is decided. */
  settled(): Promise<void>;
}

const checkEveryMs = 500;
const rotateLogEveryMs = 60_000;
const hourMs = 3_600_000;
/** Late data is kept this long, unless windows are kept for less. */
const historyMs = 48 * hourMs;
/** A key calls few others. */
const edgesPerKey = 2;

type Phase = "new" | "recovering" | "ready" | "stopped";

export function createCollector(config: CollectorConfig, settings: CollectorSettings): Collector {
  return new CollectorProcess(config, settings);
}

class CollectorProcess implements Collector {
  readonly #config: CollectorConfig;
  readonly #settings: CollectorSettings;
  readonly #store: Store;
  readonly #streams: Streams;
  readonly #windows: WindowTable;
  readonly #closings: Closings;
  readonly #ingest: Ingest;
  readonly #stream: EventStream;
  readonly link: CollectorLink;
  #phase: Phase = "new";
  #server: Server | undefined;
  readonly #cancels: Cancel[] = [];
  #stopped: Promise<void> | undefined;
  #coverage = 1;
  #closeLagMs = 0;

  constructor(config: CollectorConfig, settings: CollectorSettings) {
    const { clock, meter, decider } = settings;
    const { windowLengthMs, keysMax, halfEdgesMax } = config;
    this.#config = config;
    this.#settings = settings;
    this.#store =
      settings.store ?? createFileStore({ directory: config.dataDir, disk: settings.disk });
    this.#streams = new Streams(config.streamsMax);
    const store = this.#store;
    const streams = this.#streams;
    const limits = { keysMax, edgesMax: keysMax * edgesPerKey, halfEdgesMax };
    const losses = createLosses();
    const retentionMs = config.retentionHours * hourMs;
    this.#windows = new WindowTable({
      windowLengthMs,
      limits,
      losses,
      historyMs: Math.min(historyMs, retentionMs),
    });
    this.#closings = new Closings({
      log: settings.log,
      meter,
      decider,
      store,
      limits,
      losses,
      windowLengthMs,
      retentionMs,
      publish: () => this.#stream.publish(),
    });
    this.#ingest = new Ingest({
      clock,
      meter,
      store,
      streams,
      windows: this.#windows,
      windowLengthMs,
      thresholdsRevision: () => decider.thresholds().revision,
      blocked: () => this.#closings.blocked,
      onApplied: () => this.#closeDue(),
    });
    this.#stream = createEventStream({
      clock,
      meter,
      events: store.events,
      incidents: () => decider.incidents().map(withoutDetail),
      clientsMax: config.streamClientsMax,
    });
    this.link = this.#createLink();
    addCollectorMetrics(meter, {
      store,
      streams,
      losses,
      windows: this.#windows,
      coverage: () => this.#coverage,
      closeLagMs: () => this.#closeLagMs,
    });
  }

  get port(): number {
    return this.#server?.port ?? 0;
  }

  async start(): Promise<void> {
    if (this.#phase !== "new") return;
    this.#phase = "recovering";
    const { host, port, allowedHosts, inFlightBytesMax, uiDir, tokensFile } = this.#config;
    const { clock, log, meter } = this.#settings;
    const { access, cancel } = await accessByFile(tokensFile, { clock, log, meter });
    this.#cancels.push(cancel);
    // Listening comes first: who has the port owns the data directory.
    this.#server = await startServer({
      host,
      port,
      allowedHosts,
      inFlightBytesMax,
      log,
      meter,
      source: this.#source(),
      stream: this.#stream,
      access,
      ui: await readUiManifest(uiDir),
    });
    await this.#recover();
    this.#cancels.push(
      every(clock, checkEveryMs, () => this.#closeDue()),
      every(clock, rotateLogEveryMs, () => this.#rotateLog()),
    );
    this.#phase = "ready";
    this.#closeDue();
    log.info("collector is ready", { port: this.port, logBytes: this.#store.logBytes });
  }

  async #recover(): Promise<void> {
    const { meter, log, clock } = this.#settings;
    const countCorrupt = (records: number): void => {
      meter.counter(...corruptRecords).add(records);
      if (records > 0) log.warn("stored records are damaged and were skipped", { records });
    };
    countCorrupt(0);
    await this.#store.recover(this.#ingest.visitor(countCorrupt), () => this.#streams.encode());
    this.#streams.expectFrom(clock.nowMs());
    await this.#closings.recover();
    for (const { closing, windowEndMs } of this.#store.segmentsNewestFirst()) {
      if (closing > 0) this.#windows.markClosed(windowEndMs);
    }
    this.#windows.start(clock.nowMs());
  }

  #source(): ApiSource {
    const { decider } = this.#settings;
    return {
      accept: (bytes) => this.#ingest.accept(bytes),
      thresholds: () => decider.thresholds(),
      incidents: () => decider.incidents(),
      incident: (id) => decider.incident(id),
      graph: () => decider.graph(),
      keys: (query) => listKeys(this.#store, query, this.#config.keysMax),
      windows: (limit) => listWindows(this.#store, limit),
      notReady: () => this.#notReady(),
    };
  }

  #notReady(): Problem | undefined {
    if (this.#phase !== "ready") return { code: "NOT_READY", message: "recovering; try again" };
    if (!this.#store.failed && !this.#closings.blocked) return undefined;
    return { code: "STORE_WRITE", message: "the disk refuses writes; free space or replace it" };
  }

  #createLink(): CollectorLink {
    return {
      send: async (batch) => {
        const problem = this.#notReady();
        if (problem?.code === "NOT_READY") {
          throw new OperationalError(problem.code, problem.message, { retryable: true });
        }
        return this.#ingest.acceptOrThrow(batch);
      },
      thresholds: async () => this.#settings.decider.thresholds(),
    };
  }

  #closeDue(): void {
    if (this.#phase !== "ready") return;
    const nowMs = this.#settings.clock.nowMs();
    const watermarkMs = liveWatermarkMs(this.#streams.values(), nowMs);
    const due = this.#windows.takeDue(nowMs, watermarkMs);
    for (const window of due.close) {
      const coverage = this.#coverageOf(window, nowMs);
      this.#closings.enqueue({ window, coverage, decide: true, revised: false, nowMs });
      this.#coverage = coverage;
      this.#closeLagMs = nowMs - (window.startMs + this.#config.windowLengthMs);
      learnWeights(this.#streams.values(), this.#reported(window));
    }
    for (const { window, decide } of due.revise) {
      const coverage = this.#coverageOf(window, nowMs);
      this.#closings.enqueue({ window, coverage, decide, revised: true, nowMs });
    }
  }

  #reported(window: WindowState) {
    const windowEndMs = window.startMs + this.#config.windowLengthMs;
    return { windowEndMs, spansByStream: window.spansByStream };
  }

  #coverageOf(window: WindowState, nowMs: number): number {
    return coverageOf(this.#streams.values(), this.#reported(window), nowMs);
  }

  #rotateLog(): void {
    this.#store.rotateLog().catch((cause: unknown) => {
      this.#settings.log.error("the log cannot be rotated", { reason: String(cause) });
    });
  }

  async settled(): Promise<void> {
    await this.#store.idle();
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
    await this.#stream.shutdown();
    await this.#server?.shutdown();
    if (wasReady) {
      await this.#store.idle();
      await this.#closings.settled();
      await this.#closings.saveDecider();
    }
    await this.#store.close();
  }
}
