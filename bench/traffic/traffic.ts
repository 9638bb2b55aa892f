/**
 * Made-up traffic that looks like a web shop's: eight services in one trace, 13 attributes a span
 * and 12 a resource, 3 % of spans failed with an exception event, customers of whom few are busy,
 * log-normal latency. Seeded: the same seed gives the same bytes.
 */
import type { Prng } from "../../base/prng.ts";
import { createPrng } from "../../base/prng.ts";
import { type AttributeValue, attribute, concatenated, integerField, textField } from "./fields.ts";
import { createTemplate, type SpanPlan, type Template } from "./otlp-template.ts";
import {
  calls,
  clientAttributes,
  databaseAttributes,
  exceptionEvent,
  internalAttributes,
  resourceOf,
  serverAttributes,
  services,
} from "./shop.ts";

export interface TrafficOptions {
  readonly seed: number;
  /** Routes of each service; keys grow with them. */
  readonly routes?: number;
  /** Customers there are; a tenth of them send most requests. */
  readonly customers?: number;
  /** Every route and customer alike, for a known number of spans and customers a key. */
  readonly even?: boolean;
}

export interface Traffic {
  /** A request of this many spans, of whole traces but for the last. */
  batch(spans: number): Template;
  /** Server spans with a route each of their own: as many keys. */
  keys(first: number, count: number): Template;
}

interface Maker extends Required<TrafficOptions> {
  readonly prng: Prng;
  nextRoute: number;
}

interface Trace {
  readonly maker: Maker;
  readonly spans: SpanPlan[][];
  readonly left: { spans: number };
  readonly id: readonly [number, number, number, number];
  readonly customer: string;
  readonly request: string;
}

type Id = readonly [number, number];

const scope = concatenated([
  textField(1, "@opentelemetry/instrumentation-http"),
  textField(2, "0.201.1"),
]);
const noParent: Id = [0, 0];
const nsPerMs = 1e6;
const errorShare = 0.03;

export function createTraffic(options: TrafficOptions): Traffic {
  const maker: Maker = {
    routes: 24,
    customers: 50_000,
    even: false,
    ...options,
    prng: createPrng(options.seed),
    nextRoute: 0,
  };
  return {
    batch(count) {
      const spans = services.map((): SpanPlan[] => []);
      const left = { spans: count };
      while (left.spans > 0) addTrace(maker, spans, left);
      return templateOf(spans);
    },
    keys(first, count) {
      const spans = services.map((): SpanPlan[] => []);
      for (let index = first; index < first + count; index++) {
        addServerSpan(maker, spans, index);
      }
      return templateOf(spans);
    },
  };
}

function templateOf(spans: readonly SpanPlan[][]): Template {
  const plans = spans
    .map((list, service) => ({ resource: resourceOf(service), scope, spans: list }))
    .filter((plan) => plan.spans.length > 0);
  return createTemplate(plans);
}

function addTrace(maker: Maker, spans: SpanPlan[][], left: { spans: number }): void {
  const { prng } = maker;
  const trace: Trace = {
    maker,
    spans,
    left,
    id: [word(prng), word(prng), word(prng), word(prng)],
    customer: customerOf(maker),
    request: requestId(prng),
  };
  serve(trace, { service: 0, parent: noParent, startNs: prng.integer(900) * nsPerMs });
}

/** A server span, what it does inside, and its calls; gives when it ends. */
function serve(trace: Trace, at: { service: number; parent: Id; startNs: number }): number {
  const { maker, customer, request } = trace;
  const { prng } = maker;
  const { service } = at;
  const route = routeOf(maker);
  const id: Id = [word(prng), word(prng)];
  const failed = prng.next() < errorShare;
  let nowNs = at.startNs + workNs(prng);
  nowNs = inside(trace, { service, route, parent: id, startNs: nowNs });
  for (const callee of calls[service] as readonly number[]) {
    if (prng.next() < 0.7) nowNs = call(trace, { service, callee, parent: id, startNs: nowNs });
  }
  nowNs = query(trace, { service, route, parent: id, startNs: nowNs });
  const endNs = nowNs + workNs(prng);
  add(trace, service, {
    id,
    parent: at.parent,
    startNs: at.startNs,
    endNs,
    fields: fieldsOf({
      name: `GET /${services[service]}/r${route}/{id}`,
      kind: 2,
      attributes: serverAttributes({ service, route, customer, request, failed, prng }),
      failed,
    }),
  });
  return endNs;
}

interface Child {
  readonly service: number;
  readonly parent: Id;
  readonly startNs: number;
}

function inside(trace: Trace, at: Child & { route: number }): number {
  const { prng } = trace.maker;
  const endNs = at.startNs + workNs(prng);
  const attributes = internalAttributes({ ...at, ...seenBy(trace) });
  const name = `${services[at.service]}.step${at.route % 8}`;
  add(trace, at.service, {
    ...childOf(prng, at),
    endNs,
    fields: fieldsOf({ name, kind: 1, attributes, failed: false }),
  });
  return endNs;
}

function call(trace: Trace, at: Child & { callee: number }): number {
  const { prng } = trace.maker;
  const child = childOf(prng, at);
  const failed = prng.next() < errorShare;
  const calleeEndNs = serve(trace, {
    service: at.callee,
    parent: child.id,
    startNs: at.startNs + 0.2 * nsPerMs,
  });
  const endNs = calleeEndNs + 0.2 * nsPerMs;
  const attributes = clientAttributes({ callee: at.callee, failed, ...seenBy(trace) });
  add(trace, at.service, {
    ...child,
    endNs,
    fields: fieldsOf({ name: "GET", kind: 3, attributes, failed }),
  });
  return endNs;
}

function query(trace: Trace, at: Child & { route: number }): number {
  const { prng } = trace.maker;
  const endNs = at.startNs + workNs(prng);
  const failed = prng.next() < errorShare;
  const attributes = databaseAttributes({ ...at, ...seenBy(trace) });
  add(trace, at.service, {
    ...childOf(prng, at),
    endNs,
    fields: fieldsOf({ name: "SELECT", kind: 3, attributes, failed }),
  });
  return endNs;
}

function addServerSpan(maker: Maker, spans: SpanPlan[][], index: number): void {
  const { prng } = maker;
  const service = index % services.length;
  const customer = customerOf(maker);
  const startNs = prng.integer(900) * nsPerMs;
  (spans[service] as SpanPlan[]).push({
    trace: [word(prng), word(prng), word(prng), word(prng)],
    id: [word(prng), word(prng)],
    parent: noParent,
    startNs,
    endNs: startNs + workNs(prng),
    fields: fieldsOf({
      name: "GET",
      kind: 2,
      attributes: serverAttributes({
        ...{ service, route: index, customer, failed: false, prng },
        request: requestId(prng),
      }),
      failed: false,
    }),
  });
}

function seenBy({ customer, request, maker }: Trace) {
  return { customer, request, prng: maker.prng };
}

function childOf(prng: Prng, at: Child): { id: Id; parent: Id; startNs: number } {
  return { id: [word(prng), word(prng)], parent: at.parent, startNs: at.startNs };
}

function add(trace: Trace, service: number, span: Omit<SpanPlan, "trace">): void {
  if (trace.left.spans === 0) return;
  trace.left.spans--;
  (trace.spans[service] as SpanPlan[]).push({ trace: trace.id, ...span });
}

function fieldsOf(span: {
  name: string;
  kind: number;
  attributes: readonly (readonly [string, AttributeValue])[];
  failed: boolean;
}): Uint8Array[] {
  const fields = [textField(5, span.name), integerField(6, span.kind)];
  for (const [name, value] of span.attributes) fields.push(attribute(9, name, value));
  if (span.failed) fields.push(exceptionEvent, failedStatus);
  return fields;
}

/** Status{3 code: error}. */
const failedStatus = Uint8Array.of(0x7a, 2, 0x18, 2);

function routeOf(maker: Maker): number {
  if (maker.even) return maker.nextRoute++ % maker.routes;
  return Math.floor(maker.prng.next() ** 2 * maker.routes);
}

function customerOf({ prng, customers, even }: Maker): string {
  const share = even ? prng.next() : prng.next() ** 4;
  return `customer-${Math.floor(share * customers)
    .toString(36)
    .padStart(10, "0")}`;
}

/** Log-normal around a millisecond. */
function workNs(prng: Prng): number {
  const radius = Math.sqrt(-2 * Math.log(1 - prng.next()));
  return Math.round(nsPerMs * Math.exp(0.9 * radius * Math.cos(2 * Math.PI * prng.next())));
}

/** As a UUID reads. */
function requestId(prng: Prng): string {
  const digits = (count: number): string =>
    Array.from({ length: count }, () => prng.integer(16).toString(16)).join("");
  return [8, 4, 4, 4, 12].map(digits).join("-");
}

function word(prng: Prng): number {
  return 1 + prng.integer(2 ** 32 - 1);
}
