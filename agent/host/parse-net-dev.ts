/**
 * What all network interfaces but the loopback carried, of /proc/net/dev: `name: bytes packets errs
 * drop fifo frame compressed multicast`, and from the ninth column on the same of what was sent.
 * Traffic of containers may be counted at each virtual interface that it passes.
 */
export interface Traffic {
  bytes: number;
  errors: number;
  drops: number;
}

export interface NetworkTraffic {
  readonly receive: Traffic;
  readonly transmit: Traffic;
}

const columnCount = 16;
const transmitColumn = 8;

export function parseNetDev(text: string): NetworkTraffic {
  const receive: Traffic = { bytes: 0, errors: 0, drops: 0 };
  const transmit: Traffic = { bytes: 0, errors: 0, drops: 0 };
  for (const line of text.split("\n")) {
    const [name, columns] = line.split(":");
    const numbers = columns?.trim().split(/\s+/).map(Number) ?? [];
    if (name?.trim() === "lo" || numbers.length < columnCount) continue;
    if (!numbers.every(Number.isFinite)) continue;
    add(receive, numbers, 0);
    add(transmit, numbers, transmitColumn);
  }
  return { receive, transmit };
}

function add(traffic: Traffic, numbers: readonly number[], from: number): void {
  traffic.bytes += numbers[from] as number;
  traffic.errors += numbers[from + 2] as number;
  traffic.drops += numbers[from + 3] as number;
}
