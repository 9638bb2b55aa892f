/**
 * What happens to a window when it closes, one window at a time:
 *
 *   seal → decide → segment durable → events durable → published
 *
 * The segment is the commit point: it holds the decision's events, so a crash before it leaves the
 * batches in the log to be decided again, and a crash after it publishes from the segment. The
 * decider's state is saved now and then; after a restart it is brought up to date by deciding
 * again on the stored windows since.
 */
import type { Log } from "../../base/log.ts";
import type { Meter } from "../../base/meter.ts";
import { ok, type Result } from "../../base/result.ts";
import type { StreamEvent, WindowSummary } from "../../wire/api-types.ts";
import type { Decider, Decision } from "../decide.ts";
import { decodeContents } from "../store/contents.ts";
import type { UnnumberedEvent } from "../store/events-journal.ts";
import type { WindowPlace } from "../store/levels.ts";
import type { SegmentMeta } from "../store/segment-file.ts";
import type { NewSegment } from "../store/segments.ts";
import type { Store } from "../store/store.ts";
import type { Losses } from "./add-cube.ts";
import {
  closeFailures,
  corruptRecords,
  decideFailures,
  maintainFailures,
  saveFailures,
} from "./closing-counters.ts";
import type { Coverage } from "./liveness.ts";
import {
  addStored,
  type Earlier,
  type SealedWindow,
  sealWindow,
  totalsOf,
  type WindowLimits,
  type WindowState,
} from "./window-state.ts";

export interface ClosingOptions {
  readonly log: Log;
  readonly meter: Meter;
  readonly store: Store;
  readonly decider: Decider;
  readonly limits: WindowLimits;
  readonly losses: Losses;
  readonly windowLengthMs: number;
  readonly publish: (events: readonly StreamEvent[]) => void;
}

/** What a closing needs to know that the window itself does not hold. */
export interface Closing {
  readonly window: WindowState;
  readonly coverage: Coverage;
  readonly decide: boolean;
  /** Closed before, or out of order. */
  readonly revised: boolean;
  readonly nowMs: number;
}

/** Decisions between two saves of the decider's state. */
const saveEveryClosings = 6;
/** Windows decided again when the decider's state is lost: one hour. */
const relearnWindowsMax = 360;
/** Windows that may wait for a disk that refuses them; then no more batches are taken. */
const unsavedMax = 64;
const nothing: Decision = { anomalies: 0, events: [] };

export class Closings {
  readonly #options: ClosingOptions;
  readonly #unsaved = new Map<string, NewSegment>();
  #chain: Promise<void> = Promise.resolve();
  #closing = 0;
  #savedClosing = 0;

  constructor(options: ClosingOptions) {
    this.#options = options;
  }

  /** The disk refuses closed windows and no more fit into memory. */
  get blocked(): boolean {
    return this.#unsaved.size >= unsavedMax;
  }

  /** Brings the decider up to date with the stored windows and publishes what a crash kept back. */
  async recover(): Promise<void> {
    const { store, decider, log } = this.#options;
    const state = await store.loadDecider();
    if (state !== undefined) decider.restore(state.snapshot);
    this.#savedClosing = state?.closing ?? 0;
    const decided = store
      .segmentsNewestFirst()
      .filter((meta) => meta.closing > this.#savedClosing)
      .sort((a, b) => a.closing - b.closing)
      .slice(-relearnWindowsMax);
    for (const meta of decided) await this.#relearn(meta);
    this.#closing = Math.max(
      this.#savedClosing,
      store.events.closing,
      decided.at(-1)?.closing ?? 0,
    );
    if (decided.length > 0) log.info("decided again after a restart", { windows: decided.length });
  }

  async #relearn(meta: SegmentMeta): Promise<void> {
    const { store } = this.#options;
    const segment = await store.readSegment(meta.summary.windowStartMs);
    if (!segment.ok) {
      this.#countCorrupt();
      return;
    }
    this.#decide({ ...segment.value.contents, ...meta.summary }, meta.decidedAtMs);
    if (meta.closing > store.events.closing) await this.#announce(segment.value);
  }

  /** Resolves when every window handed over is decided and published. */
  async settled(): Promise<void> {
    let chain: Promise<void> | undefined;
    while (chain !== this.#chain) {
      chain = this.#chain;
      await chain;
    }
  }

  enqueue(closing: Closing): void {
    this.#chain = this.#chain.then(async () => {
      try {
        await this.#close(closing);
      } catch (cause) {
        // The window's batches stay in the log, so a restart tries again.
        this.#options.meter.counter(...closeFailures).add();
        this.#options.log.error("a window could not be closed", {
          windowStartMs: closing.window.startMs,
          reason: String(cause),
        });
      }
    });
  }

  async #close({ window, coverage, decide, revised, nowMs }: Closing): Promise<void> {
    await this.#retryUnsaved();
    const earlier = await this.#addEarlier(window);
    if (earlier !== undefined && earlier.closing > this.#savedClosing) await this.saveDecider();
    const sealed = sealWindow(window);
    const decidedAtMs = decide ? nowMs : (earlier?.decidedAtMs ?? nowMs);
    const known = {
      ...betterCoverage(coverage, earlier?.summary),
      revised: revised || earlier !== undefined,
      windowStartMs: window.startMs,
    };
    const decision = decide ? this.#decide({ ...sealed, ...known }, decidedAtMs) : nothing;
    const closing = decide ? ++this.#closing : (earlier?.closing ?? 0);
    const anomalies = decide ? decision.anomalies : (earlier?.summary.anomalies ?? 0);
    const { spans, errors } = totalsOf(sealed.cube);
    const segment: NewSegment = {
      meta: {
        summary: { ...known, spans, errors, keys: sealed.cube.cells.size, anomalies },
        windowEndMs: window.startMs + window.lengthMs,
        lsn: window.lsn,
        closing,
        decidedAtMs,
        hashKeyId: window.hashKeyId,
      },
      events: decision.events,
      blocks: sealed.blocks,
    };
    await this.#save(segment);
    if (decide) await this.#announce(segment);
    if (decide && closing - this.#savedClosing >= saveEveryClosings) await this.saveDecider();
    await this.#maintain(nowMs);
  }

  /** Has the store do what is due, between two windows. */
  maintain(nowMs: number): void {
    this.#chain = this.#chain.then(() => this.#maintain(nowMs));
  }

  async #maintain(nowMs: number): Promise<void> {
    const { store, meter, log } = this.#options;
    try {
      await store.maintain(nowMs);
    } catch (cause) {
      meter.counter(...maintainFailures).add();
      log.error("history cannot be rolled up or let go", { reason: String(cause) });
    }
  }

  /** Merges what the window held when it was closed before. */
  async #addEarlier(window: WindowState): Promise<Earlier["meta"] | undefined> {
    const { store, limits, losses } = this.#options;
    const earlier = await this.#earlierOf(window);
    if (earlier === undefined) return undefined;
    if (earlier.ok) addStored(window, earlier.value, { limits, losses });
    else this.#countCorrupt();
    return earlier.ok ? earlier.value.meta : store.segmentMeta(window.startMs, window.lengthMs);
  }

  async #earlierOf(window: WindowPlace): Promise<Result<Earlier> | undefined> {
    const { store } = this.#options;
    const { startMs, lengthMs } = window;
    const unsaved = this.#unsaved.get(nameOf(window));
    if (unsaved !== undefined) {
      return ok({ meta: unsaved.meta, contents: decodeContents(startMs, unsaved.blocks) });
    }
    if (store.segmentMeta(startMs, lengthMs) === undefined) return undefined;
    return store.readSegment(startMs, lengthMs);
  }

  #decide(
    window: Pick<SealedWindow, "cube" | "halfEdges"> &
      Pick<WindowSummary, "windowStartMs" | "coverage" | "revised">,
    nowMs: number,
  ): Decision {
    const { decider, windowLengthMs, meter, log } = this.#options;
    const { cube, halfEdges, coverage, revised, windowStartMs } = window;
    const windowEndMs = windowStartMs + windowLengthMs;
    try {
      return decider.decide(
        { cube, halfEdges, coverage, revised, windowStartMs, windowEndMs },
        nowMs,
      );
    } catch (cause) {
      // The window is kept all the same: a fault in judging it must not lose it, nor stop the next.
      meter.counter(...decideFailures).add();
      log.error("a window could not be decided", { windowStartMs, reason: String(cause) });
      return nothing;
    }
  }

  async #save(segment: NewSegment): Promise<void> {
    const { store, meter, log } = this.#options;
    const { summary, windowEndMs } = segment.meta;
    const { windowStartMs } = summary;
    const name = nameOf({ startMs: windowStartMs, lengthMs: windowEndMs - windowStartMs });
    try {
      await store.writeSegment(segment);
      this.#unsaved.delete(name);
    } catch (cause) {
      meter.counter(...saveFailures).add();
      log.error("a closed window waits for the disk", { windowStartMs, reason: String(cause) });
      this.#unsaved.set(name, segment);
    }
  }

  async #retryUnsaved(): Promise<void> {
    for (const segment of [...this.#unsaved.values()]) await this.#save(segment);
  }

  async #announce({ meta, events }: Pick<NewSegment, "meta" | "events">): Promise<void> {
    const { store, publish, log } = this.#options;
    const atMs = meta.decidedAtMs;
    const unnumbered: UnnumberedEvent[] = [
      ...events.map(({ type, incident }) => ({ type, atMs, incident })),
      { type: "window.closed", atMs, window: meta.summary },
    ];
    const appended = await store.appendEvents(meta.closing, unnumbered);
    if (appended.problem !== undefined) {
      log.error("events are not stored", { reason: String(appended.problem) });
    }
    publish(appended.events);
  }

  /** Saves the decider's state, unless a window it includes is itself not saved. */
  async saveDecider(): Promise<void> {
    const { store, decider, meter, log } = this.#options;
    if (this.#unsaved.size > 0 || this.#savedClosing === this.#closing) return;
    const closing = this.#closing;
    try {
      await store.saveDecider({ closing, snapshot: decider.snapshot() });
      this.#savedClosing = closing;
    } catch (cause) {
      meter.counter(...saveFailures).add();
      log.error("the decider's state is not stored", { reason: String(cause) });
    }
  }

  #countCorrupt(): void {
    this.#options.meter.counter(...corruptRecords).add();
  }
}

function nameOf({ startMs, lengthMs }: WindowPlace): string {
  return `${lengthMs}/${startMs}`;
}

/** A window that more is known of has not become less covered. */
function betterCoverage(
  { share, silentAgents }: Coverage,
  earlier: Pick<WindowSummary, "coverage" | "silentAgents"> | undefined,
): Pick<WindowSummary, "coverage" | "silentAgents"> {
  if (earlier !== undefined && earlier.coverage >= share) {
    return { coverage: earlier.coverage, silentAgents: earlier.silentAgents };
  }
  return { coverage: share, silentAgents: silentAgents.length };
}
