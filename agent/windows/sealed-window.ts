/** A window on its way out: what a record of it holds but for the numbers of its stream. */
import type { WindowContent } from "../../wire/window-content.ts";

export interface SealedWindow extends WindowContent {
  readonly windowLengthMs: number;
  readonly thresholdsRevision: number;
  readonly watermarkMs: number;
}
