/** Traces of a made-up system with a known call graph, as OTLP/JSON per process. */
import type { Prng } from "../../base/prng.ts";

export interface Service {
  readonly name: string;
  readonly replicas: number;
  readonly calls: readonly Call[];
}

export interface Call {
  readonly to: string;
  readonly via: "http" | "queue" | "database";
}

export interface System {
  readonly services: ReadonlyMap<string, Service>;
  readonly entry: string;
}

/** Every edge the collector should know, as "caller -> callee", queues and databases as nodes. */
export function trueEdges(system: System): string[] {
  const edges = new Set<string>();
  for (const { name, calls } of system.services.values()) {
    for (const { to, via } of calls) {
      if (via === "http") edges.add(`${name} -> ${to}`);
      if (via === "database") edges.add(`${name} -> postgresql:${to}@${to}.db:5432`);
      if (via === "queue") {
        edges.add(`${name} -> kafka:${to}-topic`);
        edges.add(`kafka:${to}-topic -> ${to}`);
      }
    }
  }
  return [...edges].sort();
}

/** A tree of services below the entry, with some more calls across, never back. */
export function createSystem(prng: Prng, servicesCount: number): System {
  const name = (index: number): string => `service-${index}`;
  const calls = Array.from({ length: servicesCount }, () => [] as Call[]);
  for (let index = 1; index < servicesCount; index++) {
    const via = prng.next() < 0.25 ? "queue" : "http";
    calls[prng.integer(index)]?.push({ to: name(index), via });
  }
  for (let index = 0; index + 1 < servicesCount; index++) {
    const to = index + 1 + prng.integer(servicesCount - index - 1);
    const from = calls[index] as Call[];
    if (prng.next() < 0.2 && !from.some((call) => call.to === name(to))) {
      from.push({ to: name(to), via: "http" });
    }
    if (prng.next() < 0.3) from.push({ to: `store-${index % 3}`, via: "database" });
  }
  const services = calls.map((list, index) => ({
    name: name(index),
    replicas: 1 + prng.integer(3),
    calls: list,
  }));
  return { services: new Map(services.map((each) => [each.name, each])), entry: name(0) };
}

type Attribute = { key: string; value: { stringValue: string } | { intValue: string } };

interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly Attribute[];
  readonly links?: readonly { traceId: string; spanId: string }[];
}

/** Spans by process; a process is a replica of a service. */
export type Spans = Map<string, Span[]>;

interface Walk {
  readonly system: System;
  readonly prng: Prng;
  readonly spans: Spans;
}

interface Caller {
  readonly traceId: string;
  readonly spanId?: string;
}

/** One request through the system; gives the end of its entry span in milliseconds. */
export function traceRequest(walk: Walk, startMs: number): number {
  const entry = walk.system.services.get(walk.system.entry) as Service;
  return serve(walk, entry, { traceId: hex(walk.prng, 16) }, { startMs, kind: 2 });
}

function serve(
  walk: Walk,
  service: Service,
  caller: Caller,
  how: { readonly startMs: number; readonly kind: number; readonly topic?: string },
): number {
  const { prng } = walk;
  const process = `${service.name}#${prng.integer(service.replicas)}`;
  // A consumer starts a trace of its own and links to the message it works on.
  const isConsumer = how.topic !== undefined;
  const traceId = isConsumer ? hex(prng, 16) : caller.traceId;
  const spanId = hex(prng, 8);
  let nowMs = how.startMs + 1;
  for (const call of service.calls) {
    nowMs = place(walk, { process, traceId, spanId }, call, nowMs) + 1;
  }
  const messaging = [
    text("messaging.system", "kafka"),
    text("messaging.destination.name", how.topic ?? ""),
  ];
  const http = [text("http.request.method", "POST"), text("http.route", `/${service.name}`)];
  emit(walk, process, {
    traceId,
    spanId,
    ...(isConsumer || caller.spanId === undefined ? {} : { parentSpanId: caller.spanId }),
    name: `POST /${service.name}`,
    kind: how.kind,
    ...times(how.startMs, nowMs),
    attributes: isConsumer ? messaging : http,
    ...(isConsumer
      ? { links: [{ traceId: caller.traceId, spanId: caller.spanId as string }] }
      : {}),
  });
  return nowMs;
}

function place(
  walk: Walk,
  from: { readonly process: string; readonly traceId: string; readonly spanId: string },
  { to, via }: Call,
  startMs: number,
): number {
  const { traceId } = from;
  const spanId = hex(walk.prng, 8);
  const target = walk.system.services.get(to) as Service;
  const topic = `${to}-topic`;
  const span = (kind: number, endMs: number, attributes: Attribute[]): void =>
    emit(walk, from.process, {
      ...{ traceId, spanId, parentSpanId: from.spanId, name: "call", kind, attributes },
      ...times(startMs, endMs),
    });
  if (via === "database") {
    span(3, startMs + 2, [
      text("db.system.name", "postgresql"),
      text("db.namespace", to),
      ...address(`${to}.db`, 5432),
    ]);
    return startMs + 2;
  }
  if (via === "queue") {
    span(4, startMs + 1, [
      text("messaging.system", "kafka"),
      text("messaging.destination.name", topic),
    ]);
    serve(walk, target, { traceId, spanId }, { startMs: startMs + 3, kind: 5, topic });
    return startMs + 1;
  }
  const endMs = serve(walk, target, { traceId, spanId }, { startMs: startMs + 1, kind: 2 }) + 1;
  span(3, endMs, [text("http.request.method", "POST"), ...address(`${to}.internal`, 8080)]);
  return endMs;
}

/** The OTLP/JSON request with a process's spans. */
export function requestOf(process: string, spans: readonly Span[]): Uint8Array {
  const [service = ""] = process.split("#");
  const attributes = [text("service.name", service), text("service.instance.id", process)];
  const request = { resourceSpans: [{ resource: { attributes }, scopeSpans: [{ spans }] }] };
  return new TextEncoder().encode(JSON.stringify(request));
}

function emit(walk: Walk, process: string, span: Span): void {
  const spans = walk.spans.get(process) ?? [];
  walk.spans.set(process, spans);
  spans.push(span);
}

function times(startMs: number, endMs: number) {
  return { startTimeUnixNano: `${startMs}000000`, endTimeUnixNano: `${endMs}000000` };
}

function address(host: string, port: number): Attribute[] {
  return [text("server.address", host), { key: "server.port", value: { intValue: String(port) } }];
}

function text(key: string, value: string): Attribute {
  return { key, value: { stringValue: value } };
}

function hex(prng: Prng, size: number): string {
  return Array.from({ length: size }, () =>
    (1 + prng.integer(255)).toString(16).padStart(2, "0"),
  ).join("");
}
