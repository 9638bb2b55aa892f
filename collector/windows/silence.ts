/** Tells the log once when windows lack so much that they mean little, and when no more. */
import type { Log } from "../../base/log.ts";
import { coverageMin } from "../decide.ts";
import type { Coverage } from "./liveness.ts";

const namesMax = 10;

export class Silence {
  readonly #log: Log;
  /** Of the window closed last. */
  coverage: Coverage = { share: 1, silentAgents: [] };

  constructor(log: Log) {
    this.#log = log;
  }

  observe(coverage: Coverage, windowStartMs: number): void {
    const was = this.coverage.share < coverageMin;
    const is = coverage.share < coverageMin;
    this.coverage = coverage;
    const share = Number(coverage.share.toFixed(3));
    if (is && !was) {
      const agents = coverage.silentAgents.slice(0, namesMax).join(", ");
      const more = Math.max(0, coverage.silentAgents.length - namesMax);
      this.#log.warn("agents are silent", { windowStartMs, coverage: share, agents, more });
    }
    if (was && !is) this.#log.info("agents report again", { windowStartMs, coverage: share });
  }
}
