/** What can go wrong when windows are closed, as counters: name and help. */
export const corruptRecords = [
  "brunt_collector_corrupt_records_total",
  "stored records that failed their checksum and were skipped",
] as const;
export const closeFailures = [
  "brunt_collector_close_failures_total",
  "windows that could not be closed",
] as const;
export const decideFailures = [
  "brunt_collector_decide_failures_total",
  "windows kept without a decision because deciding failed",
] as const;
export const maintainFailures = [
  "brunt_collector_maintain_failures_total",
  "times history could not be rolled up or let go",
] as const;
export const saveFailures = [
  "brunt_collector_save_failures_total",
  "times the disk refused a closed window or the decider's state",
] as const;
