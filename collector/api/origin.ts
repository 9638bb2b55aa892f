/**
 * Who may ask from a browser. A page of another origin may not open the stream, and while the
 * collector listens on loopback a page cannot reach it under a name of its own either (a name
 * that its owner points to 127.0.0.1 would make it the same origin).
 */
const loopbackNames: ReadonlySet<string> = new Set(["localhost", "127.0.0.1", "[::1]"]);
const loopbackHosts: ReadonlySet<string> = new Set(["localhost", "127.0.0.1", "::1"]);

/** Whether requests under this `Host` are answered, given where the collector listens. */
export function isHostServed(
  hostHeader: string | undefined,
  listening: { readonly host: string; readonly allowedHosts: readonly string[] },
): boolean {
  if (!loopbackHosts.has(listening.host)) return true;
  const name = nameOf(hostHeader ?? "");
  return loopbackNames.has(name) || listening.allowedHosts.includes(name);
}

/** Whether the origin is that of the host asked; programs send none, which is fine. */
export function isSameOrigin(origin: string | undefined, hostHeader: string | undefined): boolean {
  if (origin === undefined) return true;
  if (hostHeader === undefined) return false;
  return origin === `http://${hostHeader}` || origin === `https://${hostHeader}`;
}

function nameOf(host: string): string {
  const bracket = host.indexOf("]");
  if (bracket >= 0) return host.slice(0, bracket + 1).toLowerCase();
  return (host.split(":")[0] as string).toLowerCase();
}
