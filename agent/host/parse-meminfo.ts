/** Memory, of /proc/meminfo: `MemTotal:  24684092 kB` and its like. */
export interface Memory {
  readonly totalBytes: number;
  /** What can be had without swapping, as the kernel estimates it. */
  readonly availableBytes: number;
}

const bytesPerKibibyte = 1_024;

export function parseMeminfo(text: string): Memory | undefined {
  const read = (name: string): number | undefined => {
    const found = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(text)?.[1];
    return found === undefined ? undefined : Number(found) * bytesPerKibibyte;
  };
  const totalBytes = read("MemTotal");
  const availableBytes = read("MemAvailable");
  if (totalBytes === undefined || availableBytes === undefined || totalBytes === 0)
    return undefined;
  return { totalBytes, availableBytes };
}
