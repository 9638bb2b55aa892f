/**
 * For how long each disk was at work, of /proc/diskstats: major, minor, name, then reads completed,
 * merged, sectors, ms; the same of writes; in progress; milliseconds of doing something.
 */
const nameColumn = 2;
const workColumn = 12;
/** Made of files or of memory: what they do is done by another disk, or none. */
const unreal = /^(loop|ram|zram|fd|sr)\d/;
/** A partition's work is its disk's too. */
const partition = /^((sd|hd|vd|xvd)[a-z]+\d+|(nvme\d+n|mmcblk|nbd)\d+p\d+)$/;

/** Milliseconds, by name. */
export function parseDiskstats(text: string): Map<string, number> {
  const work = new Map<string, number>();
  for (const line of text.split("\n")) {
    const columns = line.trim().split(/\s+/);
    const name = columns[nameColumn];
    const ms = Number(columns[workColumn]);
    if (name === undefined || !Number.isFinite(ms)) continue;
    if (!unreal.test(name) && !partition.test(name)) work.set(name, ms);
  }
  return work;
}
