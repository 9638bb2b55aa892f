/** Where a span id goes in a table: mixed with a secret seed, so a sender cannot aim at a place. */
export function idHash(seed: number, high: number, low: number): number {
  let hash = Math.imul(low ^ seed, 0x9e3779b1) ^ high;
  hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13) ^ seed, 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

/** Where one of the blocks of a trace begins; blocks have 64 words. */
export function blockOf(seed: number, trace: number, turn: number): number {
  return idHash(seed, turn, trace) << 6;
}
