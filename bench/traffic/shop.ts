/** The services of the made-up shop, who calls whom, and what their spans carry. */
import type { Prng } from "../../base/prng.ts";
import { type AttributeValue, attribute, concatenated, message, textField } from "./fields.ts";

export const services = [
  "frontend",
  "catalog",
  "cart",
  "checkout",
  "payment",
  "shipping",
  "recommendation",
  "email",
] as const;

/** By service, the ones it may call; never back. */
export const calls: readonly (readonly number[])[] = [
  [1, 2, 3, 6],
  [],
  [1],
  [2, 4, 5, 7],
  [],
  [],
  [1],
  [],
];

type Attributes = (readonly [string, AttributeValue])[];

/** The 12 attributes of a service's resource, as its message. */
export function resourceOf(service: number): Uint8Array {
  const name = services[service] as string;
  const attributes: Attributes = [
    ["service.name", name],
    ["service.version", `2.${service}.1`],
    ["service.namespace", "shop"],
    ["service.instance.id", `627cc493-f310-47de-96bd-7141090${service}dec09`],
    ["deployment.environment.name", "production"],
    ["cloud.provider", "aws"],
    ["cloud.region", "eu-central-1"],
    ["host.name", "ip-10-20-30-40.eu-central-1.compute.internal"],
    ["k8s.pod.name", `${name}-6b7c9d5f4-x2x9${service}`],
    ["k8s.namespace.name", "shop-production"],
    ["telemetry.sdk.language", "nodejs"],
    ["telemetry.sdk.version", "2.12.1"],
  ];
  return concatenated(attributes.map(([key, value]) => attribute(1, key, value)));
}

const agents = [
  "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0",
  "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)",
];

interface Seen {
  readonly customer: string;
  /** The id of the trace's request, 36 characters. */
  readonly request: string;
  readonly prng: Prng;
}

/** 13 attributes of a server span. */
export function serverAttributes(
  seen: Seen & { service: number; route: number; failed: boolean },
): Attributes {
  const { service, route, customer, request, failed, prng } = seen;
  const name = services[service] as string;
  return [
    ["http.request.method", "GET"],
    ["http.route", `/${name}/r${route}/{id}`],
    ["url.path", `/${name}/r${route}/${prng.integer(1e6)}`],
    ["url.scheme", "https"],
    ["http.response.status_code", failed ? 500 : 200],
    ["server.address", `${name}.shop.internal`],
    ["server.port", 8443],
    ["client.address", `10.${prng.integer(256)}.${prng.integer(256)}.7`],
    ["user_agent.original", prng.pick(agents)],
    ["network.protocol.version", "1.1"],
    ["customer.id", customer],
    ["thread.name", `http-worker-${prng.integer(16)}-of-16`],
    ["app.request.id", request],
  ];
}

/** 13 of an HTTP call. */
export function clientAttributes(seen: Seen & { callee: number; failed: boolean }): Attributes {
  const { callee, customer, request, failed, prng } = seen;
  const name = services[callee] as string;
  return [
    ["http.request.method", "GET"],
    [
      "url.full",
      `https://${name}.shop.internal:8443/${name}/items/${prng.integer(1e6)}?expand=price,stock&currency=EUR`,
    ],
    ["url.template", `/${name}/items/{id}`],
    ["http.response.status_code", failed ? 503 : 200],
    ["server.address", `${name}.shop.internal`],
    ["server.port", 8443],
    ["network.peer.address", `10.20.${callee}.17`],
    ["network.peer.port", 8443],
    ["network.protocol.version", "1.1"],
    ["network.transport", "tcp"],
    ["customer.id", customer],
    ["thread.name", `http-worker-${prng.integer(16)}-of-16`],
    ["app.request.id", request],
  ];
}

/** 13 of a database query. */
export function databaseAttributes(seen: Seen & { service: number; route: number }): Attributes {
  const { service, route, customer, request, prng } = seen;
  const name = services[service] as string;
  const table = `${name}_t${route % 12}`;
  return [
    ["db.system.name", "postgresql"],
    ["db.namespace", `${name}_production`],
    ["db.collection.name", table],
    ["db.operation.name", "SELECT"],
    ["db.query.summary", `SELECT ${table}`],
    [
      "db.query.text",
      `SELECT id, name, price, currency, stock, updated_at FROM ${table} WHERE tenant = $1 AND id = $2 LIMIT 50`,
    ],
    ["server.address", `${name}-db.shop.internal`],
    ["server.port", 5432],
    ["network.peer.address", `10.30.${service}.5`],
    ["network.peer.port", 5432],
    ["customer.id", customer],
    ["thread.name", `http-worker-${prng.integer(16)}-of-16`],
    ["app.request.id", request],
  ];
}

/** 13 of a step within a service. */
export function internalAttributes(seen: Seen & { service: number; route: number }): Attributes {
  const { service, route, customer, request, prng } = seen;
  const name = services[service] as string;
  return [
    ["code.function.name", `handle${route % 8}`],
    ["code.file.path", `/srv/${name}/build/src/handlers/handler-${route % 8}.js`],
    ["code.line.number", 10 + (route % 8) * 31],
    ["code.column.number", 7],
    ["app.feature.flags", `new-checkout=on;price-engine=v${prng.integer(8)};search=beta`],
    ["app.items", prng.integer(40)],
    ["app.cache", prng.integer(5) === 0 ? "miss" : "hit"],
    ["app.session.channel", "mobile-web-application"],
    ["app.locale", "de-DE"],
    ["app.retry", 0],
    ["customer.id", customer],
    ["thread.name", `http-worker-${prng.integer(16)}-of-16`],
    ["app.request.id", request],
  ];
}

const stack = [
  "Error: upstream did not answer in time",
  ...Array.from(
    { length: 8 },
    (_, at) => `    at step${at} (/srv/build/src/lib/step-${at}.js:41:17)`,
  ),
].join("\n");

/** Event{2 name, 3 attributes} of a span. */
export const exceptionEvent = message(
  11,
  textField(2, "exception"),
  attribute(3, "exception.type", "TimeoutError"),
  attribute(3, "exception.message", "upstream did not answer in time"),
  attribute(3, "exception.stacktrace", stack),
);
