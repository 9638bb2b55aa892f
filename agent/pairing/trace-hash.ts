/**
 * 32 bits of a trace id, as a signed word. They decide which traces are sampled for half-edges, so
 * every agent must compute the same: the mix has no key. That is safe here, because the worst a
 * sender can do is to choose whether its own traces are in the sample. The low half of the id is
 * used, which stays random where a 64-bit id was padded with zeros. The mixing steps are those of
 * MurmurHash3's finalizer.
 */
export function traceHash(word2: number, word3: number): number {
  let hash = Math.imul(word2, 0x9e3779b1) ^ word3;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

/** Whether a trace is in the sample that keeps one in 2^shift. */
export function isSampled(hash: number, shift: number): boolean {
  return Math.clz32(hash) >= shift;
}
