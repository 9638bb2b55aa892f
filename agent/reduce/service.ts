/** The service a resource belongs to, and the other dimensions that come from it. */
import type { SpanFacts } from "./attributes.ts";

type ResourceFacts = Pick<SpanFacts, "resource">;

/** What a span without a usable service name is filed under, as the SDK specification has it. */
const unnamedService = "unknown_service";

/** The service name; the SDK's placeholder counts as none, then a workload's name stands in. */
export function serviceOf(facts: ResourceFacts): string {
  const name = facts.resource("service.name");
  if (name !== "" && name !== unnamedService && !name.startsWith(`${unnamedService}:`)) return name;
  return (
    facts.resource("k8s.deployment.name") ||
    facts.resource("k8s.statefulset.name") ||
    facts.resource("k8s.daemonset.name") ||
    facts.resource("k8s.cronjob.name") ||
    facts.resource("k8s.job.name") ||
    facts.resource("k8s.container.name") ||
    unnamedService
  );
}

export function environmentOf(facts: ResourceFacts): string {
  return facts.resource("deployment.environment.name") || facts.resource("deployment.environment");
}
