import { describe, expect, test } from "vitest";
import { adjustedCount } from "../../agent/reduce/adjusted-count.ts";
import type { SpanFacts, SpanKind } from "../../agent/reduce/attributes.ts";
import { kindOf } from "../../agent/reduce/attributes.ts";
import { boundedValue } from "../../agent/reduce/bounded-value.ts";
import { failedOf } from "../../agent/reduce/failure.ts";
import { operationOf } from "../../agent/reduce/operation.ts";
import { peerOf } from "../../agent/reduce/peer.ts";
import { sanitizeName } from "../../agent/reduce/sanitize-name.ts";
import { environmentOf, serviceOf } from "../../agent/reduce/service.ts";

interface Given {
  readonly name?: string;
  readonly kind?: SpanKind;
  readonly status?: number;
  readonly span?: Readonly<Record<string, string>>;
  readonly resource?: Readonly<Record<string, string>>;
}

function check(given: Given) {
  const facts: SpanFacts = {
    name: given.name ?? "name",
    kind: given.kind ?? "server",
    statusCode: given.status ?? 0,
    span: (name) => given.span?.[name] ?? "",
    resource: (name) => given.resource?.[name] ?? "",
  };
  return {
    operation: operationOf(facts),
    peer: peerOf(facts),
    failed: failedOf(facts),
    service: serviceOf(facts),
    environment: environmentOf(facts),
  };
}

const httpServerNew = { "http.request.method": "GET", "http.route": "/users/:id" };
const httpServerOld = { "http.method": "POST", "http.route": "/orders" };

describe("operation", () => {
  test.each<[string, Given, string]>([
    ["HTTP server, new names", { span: httpServerNew }, "GET /users/:id"],
    ["HTTP server, old names", { span: httpServerOld }, "POST /orders"],
    [
      "HTTP server, both: new ones win",
      { span: { ...httpServerOld, ...httpServerNew } },
      "GET /users/:id",
    ],
    [
      "HTTP server, unknown method",
      { span: { ...httpServerNew, "http.request.method": "_OTHER" } },
      "HTTP /users/:id",
    ],
    [
      "HTTP server, no route: the name, sanitised",
      { name: "GET /users/42", span: { "http.request.method": "GET" } },
      "GET /users/{n}",
    ],
    [
      "HTTP client, template",
      { kind: "client", span: { "http.request.method": "GET", "url.template": "/u/{id}" } },
      "GET /u/{id}",
    ],
    [
      "HTTP client, a route says nothing of it",
      { kind: "client", name: "GET", span: httpServerNew },
      "GET",
    ],
    [
      "RPC, qualified method",
      { span: { "rpc.system.name": "grpc", "rpc.method": "shop.Cart/Add" } },
      "shop.Cart/Add",
    ],
    [
      "RPC, service and method",
      { span: { "rpc.system": "grpc", "rpc.service": "shop.Cart", "rpc.method": "Add" } },
      "shop.Cart/Add",
    ],
    [
      "RPC, both: not doubled",
      { span: { "rpc.system": "grpc", "rpc.service": "shop.Cart", "rpc.method": "shop.Cart/Add" } },
      "shop.Cart/Add",
    ],
    [
      "messaging, new names",
      {
        kind: "producer",
        span: {
          "messaging.system": "kafka",
          "messaging.operation.name": "publish",
          "messaging.operation.type": "send",
          "messaging.destination.name": "orders",
        },
      },
      "publish orders",
    ],
    [
      "messaging, old names",
      {
        kind: "consumer",
        span: { "messaging.operation": "process", "messaging.destination": "orders" },
      },
      "process orders",
    ],
    [
      "messaging, template before name",
      {
        kind: "consumer",
        span: {
          "messaging.operation.type": "process",
          "messaging.destination.template": "user/{id}",
          "messaging.destination.name": "user/7",
        },
      },
      "process user/{id}",
    ],
    [
      "messaging, temporary destination",
      {
        kind: "consumer",
        span: {
          "messaging.destination.name": "amq.gen-1",
          "messaging.destination.temporary": "true",
        },
      },
      "process (temporary)",
    ],
    [
      "messaging, no operation",
      { kind: "producer", span: { "messaging.destination.name": "orders" } },
      "send orders",
    ],
    [
      "database, summary",
      {
        kind: "client",
        span: {
          "db.system.name": "postgresql",
          "db.query.summary": "SELECT orders",
          "db.operation.name": "SELECT",
        },
      },
      "SELECT orders",
    ],
    [
      "database, operation and collection",
      {
        kind: "client",
        span: {
          "db.system.name": "mongodb",
          "db.operation.name": "find",
          "db.collection.name": "users",
        },
      },
      "find users",
    ],
    [
      "database, old names",
      {
        kind: "client",
        span: { "db.system": "mysql", "db.operation": "INSERT", "db.sql.table": "t" },
      },
      "INSERT t",
    ],
    [
      "database, operation only",
      { kind: "client", span: { "db.system": "redis", "db.operation": "GET" } },
      "GET",
    ],
    [
      "database, a name and no operation",
      { kind: "client", name: "pg.query:SELECT shop", span: { "db.system": "postgresql" } },
      "pg.query:SELECT shop",
    ],
    [
      "database, nothing else",
      { kind: "client", name: "", span: { "db.system": "postgresql" } },
      "postgresql",
    ],
    ["no name at all", { name: "" }, "unnamed"],
    [
      "internal span keeps its name",
      { kind: "internal", name: "render", span: httpServerNew },
      "render",
    ],
  ])("%s", (_, given, operation) => {
    expect(check(given).operation).toBe(operation);
  });
});

describe("sanitised names", () => {
  test.each([
    ["GET /users/123/orders/9", "GET /users/{n}/orders/{n}"],
    ["job 6f9619ff-8b86-d011-b42d-00cf4fc964ff", "job {uuid}"],
    ["blob deadbeef01", "blob {hex}"],
    ["order20240131", "order{n}"],
    ["/v1/oauth2/s3", "/v1/oauth2/s3"],
    ["decade facade", "decade facade"],
    ["token 01ARZ3NDEKTSV4RRFFQ69G5FAV", "token {id}"],
    ["  padded  ", "padded"],
    ["заказ 17", "заказ {n}"],
  ])("%s", (name, sanitised) => {
    expect(sanitizeName(name)).toBe(sanitised);
  });

  test("a long name is cut", () => {
    expect(sanitizeName("x ".repeat(5_000)).length).toBeLessThan(210);
  });
});

describe("far side", () => {
  const db = {
    "db.system.name": "postgresql",
    "db.namespace": "shop",
    "server.address": "db",
    "server.port": "5432",
  };
  test.each<[string, Given, string]>([
    ["servers have none", { kind: "server", span: { "server.address": "me" } }, ""],
    ["internal spans have none", { kind: "internal", span: { "server.address": "me" } }, ""],
    [
      "declared, new name",
      { kind: "client", span: { "service.peer.name": "cart", "peer.service": "old", ...db } },
      "cart",
    ],
    ["declared, old name", { kind: "client", span: { "peer.service": "cart", ...db } }, "cart"],
    ["database", { kind: "client", span: db }, "postgresql:shop@db:5432"],
    [
      "database, old names",
      {
        kind: "client",
        span: {
          "db.system": "mysql",
          "db.name": "shop",
          "net.peer.name": "db",
          "net.peer.port": "3306",
        },
      },
      "mysql:shop@db:3306",
    ],
    [
      "database, no address",
      { kind: "client", span: { "db.system": "sqlite", "db.name": "file" } },
      "sqlite:file",
    ],
    [
      "database, no namespace",
      { kind: "client", span: { "db.system": "redis", "server.address": "r" } },
      "redis@r",
    ],
    [
      "messaging",
      {
        kind: "producer",
        span: {
          "messaging.system": "kafka",
          "messaging.destination.name": "orders",
          "server.address": "broker",
        },
      },
      "kafka:orders",
    ],
    [
      "messaging, consumer",
      { kind: "consumer", span: { "messaging.system": "mqtt", "messaging.destination": "orders" } },
      "mqtt:orders",
    ],
    [
      "RPC service",
      {
        kind: "client",
        span: {
          "rpc.system.name": "grpc",
          "rpc.method": "shop.Cart/Add",
          "server.address": "cart",
        },
      },
      "shop.Cart",
    ],
    [
      "HTTP keeps the port",
      {
        kind: "client",
        span: { "http.request.method": "GET", "server.address": "pay", "server.port": "8443" },
      },
      "pay:8443",
    ],
    [
      "address, old names",
      { kind: "client", span: { "net.peer.name": "pay", "net.peer.port": "80" } },
      "pay:80",
    ],
    [
      "both: the new one",
      {
        kind: "client",
        span: {
          "server.address": "new",
          "server.port": "1",
          "net.peer.name": "old",
          "net.peer.port": "2",
        },
      },
      "new:1",
    ],
    [
      "network peer",
      { kind: "client", span: { "network.peer.address": "10.0.0.1", "network.peer.port": "80" } },
      "10.0.0.1:80",
    ],
    [
      "network peer, IPv6",
      { kind: "client", span: { "network.peer.address": "::1", "network.peer.port": "80" } },
      "[::1]:80",
    ],
    [
      "network peer, oldest name",
      { kind: "client", span: { "net.peer.ip": "10.0.0.2" } },
      "10.0.0.2",
    ],
    [
      "URL, without its credentials",
      { kind: "client", span: { "url.full": "https://me:secret@api.example:8443/p?q" } },
      "api.example:8443",
    ],
    ["URL, old name", { kind: "client", span: { "http.url": "http://api/p" } }, "api"],
    ["nothing known", { kind: "client" }, "unknown"],
  ])("%s", (_, given, peer) => {
    expect(check(given).peer).toBe(peer);
  });
});

describe("failure", () => {
  const status = (code: string) => ({ "http.response.status_code": code });
  test.each<[string, Given, boolean]>([
    ["status error", { status: 2 }, true],
    ["status error with 200", { status: 2, span: status("200") }, true],
    ["status ok overrides 500", { status: 1, span: status("500") }, false],
    ["unset", {}, false],
    ["unset with error.type alone", { span: { "error.type": "timeout" } }, false],
    ["server 500", { span: status("500") }, true],
    ["server 404", { span: status("404") }, false],
    ["client 404", { kind: "client", span: status("404") }, true],
    ["client 399", { kind: "client", span: status("399") }, false],
    ["client 503, old name", { kind: "client", span: { "http.status_code": "503" } }, true],
    [
      "server 404 new, 500 old: the new one",
      { span: { ...status("404"), "http.status_code": "500" } },
      false,
    ],
    ["internal 500", { kind: "internal", span: status("500") }, false],
    ["not a status", { span: status("no") }, false],
    ["gRPC client NOT_FOUND", { kind: "client", span: { "rpc.grpc.status_code": "5" } }, true],
    ["gRPC server NOT_FOUND", { span: { "rpc.grpc.status_code": "5" } }, false],
    ["gRPC server UNAVAILABLE by name", { span: { "rpc.status_code": "UNAVAILABLE" } }, true],
    [
      "gRPC server INTERNAL, middle name",
      { span: { "rpc.response.status_code": "INTERNAL" } },
      true,
    ],
    ["gRPC client OK", { kind: "client", span: { "rpc.status_code": "OK" } }, false],
    ["gRPC client OK by number", { kind: "client", span: { "rpc.grpc.status_code": "0" } }, false],
    [
      "gRPC client cancelled on purpose",
      { kind: "client", span: { "rpc.grpc.status_code": "1" } },
      false,
    ],
    [
      "gRPC client cancelled, marked",
      { kind: "client", status: 2, span: { "rpc.grpc.status_code": "1" } },
      true,
    ],
  ])("%s", (_, given, failed) => {
    expect(check(given).failed).toBe(failed);
  });
});

describe("resource", () => {
  test.each<[string, Readonly<Record<string, string>>, string]>([
    ["named", { "service.name": "cart" }, "cart"],
    ["missing", {}, "unknown_service"],
    ["the SDK's placeholder", { "service.name": "unknown_service:node" }, "unknown_service"],
    [
      "placeholder in a deployment",
      { "service.name": "unknown_service", "k8s.deployment.name": "cart" },
      "cart",
    ],
    ["a name that only begins like it", { "service.name": "unknown_services" }, "unknown_services"],
  ])("service: %s", (_, resource, service) => {
    expect(check({ resource }).service).toBe(service);
  });

  test("environment: the new name before the old", () => {
    const old = { "deployment.environment": "old" };
    expect(check({ resource: old }).environment).toBe("old");
    expect(check({ resource: { ...old, "deployment.environment.name": "new" } }).environment).toBe(
      "new",
    );
  });
});

test.each([
  [0, false, "internal"],
  [0, true, "server"],
  [1, true, "internal"],
  [2, false, "server"],
  [5, true, "consumer"],
  [9, false, "internal"],
] as const)("kind %d, remote parent %s: %s", (kind, remote, name) => {
  expect(kindOf(kind, remote)).toBe(name);
});

describe("adjusted count", () => {
  test.each([
    ["none", "", 1],
    ["other vendors only", "vendor=1", 1],
    ["a half", "ot=th:8", 2],
    ["a hundredth", "ot=th:fd70a3d70a3d71", 100],
    ["everything kept", "ot=th:0", 1],
    ["beside a random value and a vendor", "v=1,ot=rv:0123456789abcd;th:c", 4],
    ["rejecting all but one in 2^56: bounded", "ot=th:ffffffffffffff", 2 ** 20],
    ["malformed", "ot=th:xyz", 1],
    ["too long", "ot=th:000000000000000", 1],
    ["another key", "not=th:8", 1],
  ])("%s", (_, traceState, count) => {
    expect(adjustedCount(traceState, 65_536) / 65_536).toBeCloseTo(count, 3);
    expect(Number.isInteger(adjustedCount(traceState, 65_536))).toBe(true);
  });
});

describe("bounded values", () => {
  const bytes = (text: string) => new TextEncoder().encode(text).length;
  test.each([
    ["short", "eu-west-1", 9],
    ["256 bytes", "x".repeat(256), 256],
    ["257 bytes", "x".repeat(257), 256],
    ["characters of three bytes", "語".repeat(200), 256],
  ])("%s", (_, value, bytesMax) => {
    const bounded = boundedValue(value);
    expect(bytes(bounded)).toBeLessThanOrEqual(bytesMax);
    expect(bounded === value).toBe(bytes(value) <= 256);
    expect(bounded.includes("�")).toBe(false);
  });

  test("long values that differ at their end stay different", () => {
    expect(boundedValue(`${"x".repeat(300)}a`)).not.toBe(boundedValue(`${"x".repeat(300)}b`));
  });
});
