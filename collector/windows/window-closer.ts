/** Finds the windows that are due by what the streams say; hands them on with their coverage. */
import type { Log } from "../../base/log.ts";
import type { StreamState } from "../ingest/stream-state.ts";
import type { Closing, Closings } from "./closing.ts";
import {
  type Coverage,
  coverageOf,
  isAnyoneExpected,
  learnWeights,
  liveWatermarkMs,
  type Reported,
  reportersOf,
} from "./liveness.ts";
import { Reporters } from "./reporters.ts";
import { Silence } from "./silence.ts";
import type { WindowTable } from "./window-table.ts";

export interface WindowCloserOptions {
  readonly log: Log;
  readonly windowLengthMs: number;
  readonly windows: WindowTable;
  readonly closings: Closings;
  readonly streams: () => Iterable<StreamState>;
}

export class WindowCloser {
  readonly #options: WindowCloserOptions;
  readonly #reporters = new Reporters();
  readonly #silence: Silence;
  /** From the end of the window closed last to its close. */
  lagMs = 0;

  constructor(options: WindowCloserOptions) {
    this.#options = options;
    this.#silence = new Silence(options.log);
  }

  /** Of the window closed last. */
  get coverage(): Coverage {
    return this.#silence.coverage;
  }

  closeDue(nowMs: number): void {
    const streams = [...this.#options.streams()];
    const due = this.#options.windows.takeDue(nowMs, {
      watermarkMs: liveWatermarkMs(streams, nowMs),
      isAnyoneExpected: isAnyoneExpected(streams, nowMs),
    });
    for (const window of due.close) {
      const reported = this.#close({ window, decide: true, revised: false, nowMs }, streams);
      this.lagMs = nowMs - reported.endMs;
      learnWeights(streams, reported);
    }
    for (const { window, decide } of due.revise) {
      this.#close({ window, decide, revised: true, nowMs }, streams);
    }
  }

  #close(closing: Omit<Closing, "coverage">, streams: readonly StreamState[]): Reported {
    const { closings, windowLengthMs } = this.#options;
    const { window, nowMs, revised } = closing;
    const { startMs, lengthMs, spansByStream } = window;
    const endMs = startMs + lengthMs;
    const reported = { startMs, endMs, spansByStream, before: this.#reporters.of(startMs) };
    if (lengthMs !== windowLengthMs) {
      // Coarser windows hold what came apart from the rest: alone they cover nothing.
      closings.enqueue({ ...closing, coverage: { share: 0, silentAgents: [] } });
      return reported;
    }
    const coverage = coverageOf(streams, reported, nowMs);
    this.#reporters.note(startMs, reportersOf(streams, reported));
    if (!revised) this.#silence.observe(coverage, startMs);
    closings.enqueue({ ...closing, coverage });
    return reported;
  }
}
