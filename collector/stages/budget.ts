/**
 * How much evidence it takes to be told of something, from how often the user is willing to be told
 * for nothing.
 *
 *   anomaly   of those called in a window at most `falseDiscoveryRate` are false, on average
 *   incident  what opens one is so unlikely that in a week of ordinary windows at most
 *             `falsePagesPerWeek` would, on average
 *
 * Within a window rows are controlled together by Benjamini-Hochberg; where nothing is wrong its
 * level is the chance that anything at all is called, so the budget divided by the windows of a
 * week is the level of one window, and holds however windows depend on each other. As evidence may
 * begin at any of the newest windows, each beginning gets its share.
 *
 * It is spending a budget evenly, not investing it: procedures that earn with each discovery what
 * they may waste later (LORD++, SAFFRON: Ramdas et al. 2017, 2018; by batches: Zrnic et al. 2020)
 * keep the share of false ones and would give more false pages in a bad week; a user's budget
 * counts pages, which no discovery makes up for.
 */
export const falseDiscoveryRate = 0.001;

const weekMs = 7 * 24 * 3_600_000;

export interface Budget {
  readonly falsePagesPerWeek: number;
  readonly windowLengthMs: number;
  /** Windows at which what is summed may begin. */
  readonly beginnings: number;
}

/** The level at which the rows of a window are controlled together before an incident opens. */
export function incidentLevel(budget: Budget): number {
  const windows = weekMs / budget.windowLengthMs;
  return Math.min(falseDiscoveryRate, budget.falsePagesPerWeek / windows / budget.beginnings);
}
