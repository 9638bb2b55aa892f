/** What to tell an exporter that sends something else than traces. */
const otherSignals: readonly { readonly path: RegExp; readonly name: string }[] = [
  { path: /metrics/i, name: "metrics" },
  { path: /logs/i, name: "logs" },
  { path: /profiles/i, name: "profiles" },
];

/** Names the signal if the path tells it, and how to switch its exporter off. */
export function signalHint(path: string): string {
  const signal = otherSignals.find((other) => other.path.test(path))?.name;
  if (signal === undefined) return "only /v1/traces is served here";
  const variable = `OTEL_${signal.toUpperCase()}_EXPORTER`;
  return `only traces are served here, not ${signal}; set ${variable}=none to switch its exporter off`;
}
