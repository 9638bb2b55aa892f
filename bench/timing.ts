/**
 * How long things take: medians over runs, the contestants taking turns within each. Time is the
 * processor's, of all threads of this process, so garbage collection counts and neighbours do not.
 */
export const runsDefault = 5;

/** Median nanoseconds per item of each task; the first run warms up and is not counted. */
export function timeEach(
  items: number,
  tasks: readonly (() => void)[],
  runs = runsDefault,
): number[] {
  const taken = tasks.map((): number[] => []);
  for (let run = 0; run <= runs; run++) {
    for (const [index, task] of tasks.entries()) {
      const ns = nanosecondsOf(task) / items;
      if (run > 0) taken[index]?.push(ns);
    }
  }
  return taken.map(median);
}

/** To microseconds, so a task takes milliseconds. */
export function nanosecondsOf(task: () => void): number {
  const before = process.cpuUsage();
  task();
  const { user, system } = process.cpuUsage(before);
  return (user + system) * 1e3;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length % 2 === 1) return sorted[middle] as number;
  return ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}

export function repeat(times: number, run: () => void): void {
  for (let at = 0; at < times; at++) run();
}
