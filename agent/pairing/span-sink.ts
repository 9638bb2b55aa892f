/** Where the reducer puts spans for pairing: the memory itself, or a log on the way to one. */
import type { Remembered, RememberedSpan } from "./remembered-span.ts";

export interface SpanSink {
  /** Copies the span in. */
  remember(span: RememberedSpan): Remembered;
  /** Gives the newest span a link; false when there is no room. */
  link(idHigh: number, idLow: number, trace: number): boolean;
  /** The spans of one request are complete. */
  linkNew(): void;
}
