/**
 * A shop as a model: requests become cells the way an agent would make them, at any speed and from
 * a seed. The real shop is in demo/; this one lets the stages see many windows in a second.
 */
import type { Prng } from "../../base/prng.ts";
import { adjustedUnit } from "../../sketch/cell.ts";
import { type Cube, createCube } from "../../sketch/cube.ts";
import { failedMark, slowMark } from "../../sketch/customer-column.ts";
import { bucketIndex } from "../../sketch/histogram.ts";
import { builtInDimensions, intern, type KeyId } from "../../sketch/key.ts";
import type { Thresholds } from "../../wire/agent-link.ts";

export const dimensions = [...builtInDimensions, "payment.card.type", "cart.size"];
export const windowMs = 10_000;

export interface Customer {
  readonly id: number;
  readonly region: string;
  readonly card: string;
}

/** What a call into a service meets; the model's faults are functions of it. */
export interface Visit {
  readonly service: string;
  readonly operation: string;
  readonly customer: Customer;
  readonly version: string;
  readonly cartSize: string;
}

export interface Trouble {
  /** The service fails by itself. */
  fails?: (visit: Visit) => boolean;
  /** Milliseconds the service itself loses. */
  losesMs?: (visit: Visit) => number;
  /** The service is gone: calls to it fail and it reports nothing. */
  isDown?: (service: string) => boolean;
  /** Its own inner work fails while it answers well. */
  failsInside?: (visit: Visit) => boolean;
  /** The network between two services loses this much. */
  gapMs?: (caller: string, callee: string) => number;
  /** The request never arrives. */
  staysAway?: (visit: Visit) => boolean;
  /** The service leaves this call out, and answers well all the same. */
  skips?: (caller: string, callee: string) => boolean;
}

interface Outcome {
  readonly ms: number;
  readonly failed: boolean;
  /** The trouble failed it, not the noise every system has. */
  readonly troubled: boolean;
  /** Answered well, yet what it answered cannot be used. */
  readonly unusable: boolean;
}

export interface Shop {
  readonly prng: Prng;
  readonly customers: readonly Customer[];
  readonly slowBuckets: Map<string, number>;
  /** Customers with a failed, or a troubled-slow, request at the frontend. */
  readonly hurt: { failed: Set<number>; slow: Set<number> };
}

interface Step {
  readonly to: string;
  readonly operation: string;
}

const routes: Readonly<Record<string, readonly Step[]>> = {
  "frontend GET /products": [{ to: "catalog", operation: "GET /products" }],
  "frontend POST /checkout": [{ to: "checkout", operation: "POST /orders" }],
  "catalog GET /products": [{ to: "postgresql:shop", operation: "SELECT products" }],
  "checkout POST /orders": [
    { to: "pricing", operation: "POST /price" },
    { to: "inventory", operation: "POST /reserve" },
    { to: "payments", operation: "POST /charges" },
  ],
  "pricing POST /price": [{ to: "tax", operation: "POST /tax" }],
  "inventory POST /reserve": [{ to: "postgresql:shop", operation: "UPDATE stock" }],
};

export function createShop(prng: Prng): Shop {
  const customers = Array.from({ length: 400 }, (_, id) => ({
    id,
    region: prng.pick(["eu-west-1", "us-east-1"]),
    card: prng.pick(["visa", "mastercard", "amex"]),
  }));
  return { prng, customers, slowBuckets: new Map(), hurt: { failed: new Set(), slow: new Set() } };
}

export function applyThresholds(shop: Shop, thresholds: Thresholds): void {
  for (const { service, operation, kind, peer, slowBucket } of thresholds.items) {
    shop.slowBuckets.set([service, operation, kind, peer].join("\0"), slowBucket);
  }
}

/** One window of requests, as the cube an agent would ship. */
export function serveWindow(
  shop: Shop,
  windowStartMs: number,
  options: { readonly requests: number; readonly trouble?: Trouble; readonly flood?: number },
): Cube {
  const cube = createCube(windowStartMs, dimensions, { keysMax: 10_000, edgesMax: 10_000 });
  for (let index = 0; index < options.requests; index++) {
    const customer =
      index < (options.flood ?? 0)
        ? (shop.customers[0] as Customer)
        : shop.prng.pick(shop.customers);
    const operation = shop.prng.next() < 0.5 ? "GET /products" : "POST /checkout";
    const cartSize = shop.prng.pick(["small", "medium", "large"]);
    const trouble = options.trouble ?? {};
    const visit = { service: "frontend", operation, customer, version: "1.0.0", cartSize };
    if (trouble.staysAway?.(visit) === true) continue;
    const outcome = serve({ shop, cube, trouble }, visit);
    if (outcome.troubled) shop.hurt.failed.add(customer.id);
    if (outcome.ms > 300) shop.hurt.slow.add(customer.id);
  }
  return cube;
}

interface Context {
  readonly shop: Shop;
  readonly cube: Cube;
  readonly trouble: Trouble;
}

function serve(context: Context, visit: Visit): Outcome & { readonly key: KeyId } {
  const { shop, trouble } = context;
  let ms = 2 + shop.prng.next() * 6;
  let badChild = { failed: false, slow: false };
  let unusable = trouble.failsInside?.(visit) ?? false;
  let troubled = trouble.fails?.(visit) ?? false;
  let failed = troubled || shop.prng.next() < 0.0005;
  const ownMs = trouble.losesMs?.(visit) ?? 0;
  if (unusable)
    recordSpan(context, visit, {
      kind: "internal",
      peer: "",
      ms: 1,
      failed: true,
      origin: { failed: true, slow: false },
    });
  for (const step of routes[`${visit.service} ${visit.operation}`] ?? []) {
    if (trouble.skips?.(visit.service, step.to) === true) continue;
    const made = call(context, visit, step);
    ms += made.ms;
    badChild = { failed: badChild.failed || made.failed, slow: badChild.slow || made.slow };
    if (made.failed) {
      failed = true;
      troubled ||= made.troubled;
      break;
    }
    // A quiet service hands on what it cannot judge; checkout cannot use it.
    if (made.unusable && visit.service === "checkout") {
      failed = true;
      troubled = true;
    } else unusable ||= made.unusable;
  }
  ms += ownMs;
  const { key } = recordSpan(context, visit, {
    ...{ kind: "server", peer: "", ms, failed },
    origin: { failed: !badChild.failed, slow: !badChild.slow },
  });
  return { ms, failed, troubled, unusable, key };
}

function call(context: Context, from: Visit, step: Step): Outcome & { slow: boolean } {
  const { shop, trouble, cube } = context;
  const isDatabase = step.to.startsWith("postgresql");
  const peer = isDatabase ? step.to : `${step.to}.shop:80`;
  const gapMs = 0.5 + (trouble.gapMs?.(from.service, step.to) ?? 0);
  const visit: Visit = {
    ...from,
    service: step.to,
    operation: step.operation,
    version: step.to === "payments" ? shop.prng.pick(["2.3.0", "2.4.0"]) : "1.0.0",
  };
  if (isDatabase || trouble.isDown?.(step.to) === true) {
    const failed = !isDatabase;
    const ms =
      gapMs + (isDatabase ? 1 + shop.prng.next() * 3 + (trouble.losesMs?.(visit) ?? 0) : 1);
    const { slow } = recordSpan(context, from, {
      kind: "client",
      peer,
      ms,
      failed,
      operation: step.operation,
      origin: { failed: true, slow: true },
    });
    return { ms, failed, troubled: failed, slow, unusable: false };
  }
  const answered = serve(context, visit);
  const ms = answered.ms + gapMs;
  const made = recordSpan(context, from, {
    kind: "client",
    peer,
    ms,
    failed: answered.failed,
    operation: step.operation,
    origin: { failed: true, slow: true },
  });
  const edge = cube.edges.rowFor(made.key, answered.key);
  if (edge < 0) throw new Error("more edges than the model's cube holds");
  cube.edges.addCalls(edge, 1, answered.failed ? 1 : 0);
  cube.edges.gaps.add(edge, Math.round(gapMs * 1e6));
  const { failed, troubled, unusable } = answered;
  return { ms, failed, troubled, slow: made.slow, unusable };
}

interface Span {
  readonly kind: string;
  readonly peer: string;
  readonly ms: number;
  readonly failed: boolean;
  readonly operation?: string;
  /** No local child was bad in this way. */
  readonly origin: { readonly failed: boolean; readonly slow: boolean };
}

function recordSpan(context: Context, visit: Visit, span: Span): { key: KeyId; slow: boolean } {
  const { cube, shop } = context;
  const { service, customer } = visit;
  const operation =
    span.kind === "internal" ? `compute ${service}` : (span.operation ?? visit.operation);
  const region = service === "payments" ? customer.region : "eu-west-1";
  const card = service === "payments" ? customer.card : "";
  const key = intern(cube.keys, [
    service,
    operation,
    span.kind,
    span.peer,
    visit.version,
    "demo",
    region,
    card,
    visit.cartSize,
  ]);
  if (key === undefined || key < 0) throw new Error("more keys than the model's cube holds");
  const { cells } = cube;
  const row = cells.rowFor(key);
  const durationNs = Math.round(span.ms * 1e6);
  const bucket = shop.slowBuckets.get([service, operation, span.kind, span.peer].join("\0"));
  const slow = bucket !== undefined && bucketIndex(durationNs) > bucket;
  const marks = (failed: boolean, late: boolean): number =>
    (failed ? failedMark : 0) | (late ? slowMark : 0);
  const bad = marks(span.failed, slow);
  cells.addSpan(row, bad, durationNs, adjustedUnit);
  const { origin } = span;
  cells.addSelfTime(row, bad & marks(origin.failed, origin.slow), durationNs);
  const [low, high] = hashOf(customer.id);
  cells.customers.add(row, bad, low, high);
  return { key, slow };
}

/** Two well-mixed words from a small number (splitmix-like finalisers). */
function hashOf(id: number): [number, number] {
  return [mix(id * 2 + 1), mix(id * 2 + 0x9e3779b9)];
}

function mix(value: number): number {
  let word = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  word = Math.imul(word ^ (word >>> 13), 0xc2b2ae35);
  return (word ^ (word >>> 16)) >>> 0;
}
