/**
 * How much time spans lost against what is usual for their operations. While a machine is busy
 * everything is a little slow; what loses a fraction of the time of another finding is carried
 * along by it.
 */
import type { Evidence } from "./evidence.ts";
import type { Registry } from "./registry.ts";
import type { OperationDurations } from "./roll-up.ts";

/** Nanoseconds lost by the operations that `isMeant`, at least 0. */
export function lostTimeNs(
  registry: Registry,
  evidence: Evidence,
  isMeant: (operation: OperationDurations) => boolean,
): number {
  let lost = 0;
  for (const operation of evidence.operations.values()) {
    if (!isMeant(operation)) continue;
    const usual = registry.thresholds.get(operation.id)?.value.slow;
    const count = (usual?.current.count ?? 0) + (usual?.previous.count ?? 0);
    if (usual === undefined || count === 0) continue;
    const meanNs = (usual.current.sumNs + usual.previous.sumNs) / count;
    lost += operation.durationNs.sumNs - operation.durationNs.count * meanNs;
  }
  return Math.max(0, lost);
}
