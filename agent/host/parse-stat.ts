/** CPU time of all processors together, of /proc/stat: `cpu  user nice system idle iowait …`. */
export interface CpuTimes {
  /** Ticks; guests' time is in user's already. */
  readonly total: number;
  /** Neither idle nor waiting for disks. */
  readonly busy: number;
}

/** From user to steal. */
const columnCount = 8;
const idle = 3;
const waiting = 4;

export function parseStat(text: string): CpuTimes | undefined {
  const line = text.split("\n", 1)[0] as string;
  const [name, ...columns] = line.split(/\s+/);
  const ticks = columns.slice(0, columnCount).map(Number);
  if (name !== "cpu" || ticks.length <= waiting || !ticks.every(Number.isFinite)) return undefined;
  const total = ticks.reduce((sum, tick) => sum + tick, 0);
  return { total, busy: total - (ticks[idle] as number) - (ticks[waiting] as number) };
}
