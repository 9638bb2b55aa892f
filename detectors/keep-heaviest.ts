/** Leaves that an isolation reads of a table that is too long for it. */

/**
 * The `max` of most weight. Weight says nothing of whether a leaf is bad, or what is read would be
 * worse than what there is; of equal ones chance decides, by a hash of their keys (FNV-1a), since
 * any order of keys would prefer some values to others.
 */
export function keepHeaviest<Leaf extends { readonly key: readonly string[] }>(
  leaves: readonly Leaf[],
  weightOf: (leaf: Leaf) => number,
  max: number,
): readonly Leaf[] {
  if (leaves.length <= max) return leaves;
  const weights = Float64Array.from(leaves, weightOf);
  const least = weights.toSorted()[leaves.length - max] as number;
  const heavier = leaves.filter((_, leaf) => (weights[leaf] as number) > least);
  const equal = leaves.filter((_, leaf) => weights[leaf] === least);
  const hashes = new Map(equal.map((leaf) => [leaf, hashOf(leaf.key)]));
  const byChance = equal.sort((a, b) => (hashes.get(a) as number) - (hashes.get(b) as number));
  return [...heavier, ...byChance.slice(0, max - heavier.length)];
}

function hashOf(key: readonly string[]): number {
  let hash = 0x811c9dc5;
  for (const value of key) {
    for (let at = 0; at <= value.length; at++) {
      const unit = at === value.length ? 0x1f : value.charCodeAt(at);
      hash = Math.imul(hash ^ unit, 0x01000193);
    }
  }
  return hash >>> 0;
}
