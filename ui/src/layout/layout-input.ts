/** What is to be drawn, before anything has a place. */
export interface LayoutEdge {
  readonly from: string;
  readonly to: string;
  /** Edges of the walk are kept straight first. */
  readonly onPath: boolean;
}

export interface LayoutInput {
  readonly nodes: readonly string[];
  readonly edges: readonly LayoutEdge[];
  /** Where to begin: these come leftmost where the graph allows. */
  readonly entries: readonly string[];
}
