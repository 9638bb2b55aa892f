/** What isolation reads: one composite key with its counts over the windows of an incident. */
export interface IsolationLeaf {
  /** One value for each dimension. */
  readonly key: readonly string[];
  readonly count: number;
  readonly bad: number;
  /** Bad events the baseline expects among `count`. */
  readonly expected: number;
}
