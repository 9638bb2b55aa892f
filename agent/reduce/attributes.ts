/**
 * The attributes the agent reads: semantic conventions 1.44.0 and the older names still in use.
 * Everything else a span carries is never looked at.
 */
export const spanAttributes = [
  "http.request.method",
  "http.method",
  "http.route",
  "http.response.status_code",
  "http.status_code",
  "url.template",
  "url.full",
  "http.url",
  "server.address",
  "server.port",
  "net.peer.name",
  "net.peer.port",
  "network.peer.address",
  "network.peer.port",
  "net.sock.peer.addr",
  "net.sock.peer.port",
  "net.peer.ip",
  "service.peer.name",
  "peer.service",
  "rpc.system.name",
  "rpc.system",
  "rpc.method",
  "rpc.service",
  "rpc.status_code",
  "rpc.response.status_code",
  "rpc.grpc.status_code",
  "db.system.name",
  "db.system",
  "db.namespace",
  "db.name",
  "db.redis.database_index",
  "db.query.summary",
  "db.operation.name",
  "db.operation",
  "db.collection.name",
  "db.sql.table",
  "db.mongodb.collection",
  "db.cassandra.table",
  "messaging.system",
  "messaging.operation.name",
  "messaging.operation.type",
  "messaging.operation",
  "messaging.destination.template",
  "messaging.destination.name",
  "messaging.destination",
  "messaging.destination.temporary",
  "messaging.destination.anonymous",
] as const;

export const resourceAttributes = [
  "service.name",
  "service.version",
  "deployment.environment.name",
  "deployment.environment",
  "cloud.region",
  "k8s.deployment.name",
  "k8s.statefulset.name",
  "k8s.daemonset.name",
  "k8s.cronjob.name",
  "k8s.job.name",
  "k8s.container.name",
  "host.name",
  "k8s.node.name",
] as const;

export type SpanAttribute = (typeof spanAttributes)[number];
export type ResourceAttribute = (typeof resourceAttributes)[number];

/** `span.kind` as keys name it, at OTLP's number; 0 and unknown numbers count as internal. */
export const spanKinds = [
  "internal",
  "internal",
  "server",
  "client",
  "producer",
  "consumer",
] as const;
export type SpanKind = (typeof spanKinds)[number];

/** What the conventions need to know of a span; an absent attribute reads as "". */
export interface SpanFacts {
  readonly name: string;
  readonly kind: SpanKind;
  /** OTLP's status code: 0 unset, 1 ok, 2 error. */
  readonly statusCode: number;
  span(name: SpanAttribute): string;
  resource(name: ResourceAttribute): string;
}

/** The kind of a span, where an unspecified one under a remote parent is an entry. */
export function kindOf(otlpKind: number, remoteParent: boolean): SpanKind {
  if (otlpKind === 0 && remoteParent) return "server";
  return spanKinds[otlpKind] ?? "internal";
}

/** The first of these attributes that is present, or "". */
export function firstOf(facts: SpanFacts, ...names: readonly SpanAttribute[]): string {
  for (const name of names) {
    const value = facts.span(name);
    if (value !== "") return value;
  }
  return "";
}
