/**
 * For how long tasks waited for a resource, of /proc/pressure/cpu, memory and io: `some avg10=0.00
 * avg60=0.00 avg300=0.00 total=60598`, in microseconds. `some` is at least one task, `full` all.
 */
export interface Pressure {
  readonly someUs: number | undefined;
  readonly fullUs: number | undefined;
}

export function parsePressure(text: string): Pressure {
  const read = (name: string): number | undefined => {
    const found = new RegExp(`^${name} .*total=(\\d+)$`, "m").exec(text)?.[1];
    return found === undefined ? undefined : Number(found);
  };
  return { someUs: read("some"), fullUs: read("full") };
}
