/** What the doctor finds: something is well, worth a look, or wrong. */
export type FindingState = "well" | "look" | "wrong";

export interface Finding {
  /** What was looked at, in a word or two. */
  readonly subject: string;
  readonly state: FindingState;
  readonly detail: string;
}

/** Spans that are somewhere: `total` is what the parts must add up to. */
export interface SpanSum {
  /** Whose spans: an agent's address, or the collector. */
  readonly of: string;
  readonly name: string;
  readonly total: number;
  readonly parts: readonly { readonly name: string; readonly spans: number }[];
}

/** What the parts lack, or have too much when it is below 0. */
export function missingIn({ total, parts }: SpanSum): number {
  return parts.reduce((rest, { spans }) => rest - spans, total);
}

export interface Examination {
  readonly findings: readonly Finding[];
  readonly sums: readonly SpanSum[];
}
