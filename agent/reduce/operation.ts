/**
 * What a span does, by a name of low cardinality. The ladder, best first:
 *
 *   RPC        full method, `pkg.Service/Method`
 *   HTTP       `METHOD route` of a server, `METHOD template` of a client
 *   messaging  `operation destination`, the destination's template before its name
 *   database   query summary, `operation collection`, `operation`
 *   any        the span's name with identifiers taken out, then the database system
 *
 * A database span's name comes before its system, which alone would make one key of all queries.
 * Source: semantic conventions 1.44.0; in every rung the new attribute is read before the old.
 */
import { firstOf, type SpanFacts } from "./attributes.ts";
import { sanitizeName } from "./sanitize-name.ts";

export function operationOf(facts: SpanFacts): string {
  return (
    rpcOperation(facts) ||
    httpOperation(facts) ||
    messagingOperation(facts) ||
    databaseOperation(facts) ||
    sanitizeName(facts.name) ||
    firstOf(facts, "db.system.name", "db.system") ||
    "unnamed"
  );
}

/** The full method; today's `rpc.method` is qualified, yesterday's needs its service. */
function rpcOperation(facts: SpanFacts): string {
  if (firstOf(facts, "rpc.system.name", "rpc.system") === "") return "";
  const method = facts.span("rpc.method");
  const service = facts.span("rpc.service");
  if (method.includes("/") || service === "") return method;
  return method === "" ? service : `${service}/${method}`;
}

/** Fully qualified service name of an RPC, or "". */
export function rpcServiceOf(facts: SpanFacts): string {
  if (firstOf(facts, "rpc.system.name", "rpc.system") === "") return "";
  const service = facts.span("rpc.service");
  if (service !== "") return service;
  const method = facts.span("rpc.method");
  const slash = method.lastIndexOf("/");
  return slash > 0 ? method.slice(0, slash) : "";
}

function httpOperation(facts: SpanFacts): string {
  if (facts.kind !== "server" && facts.kind !== "client") return "";
  const method = firstOf(facts, "http.request.method", "http.method");
  if (method === "") return "";
  const path = facts.span(facts.kind === "server" ? "http.route" : "url.template");
  return path === "" ? "" : `${method === "_OTHER" ? "HTTP" : method} ${path}`;
}

function messagingOperation(facts: SpanFacts): string {
  const destination = messagingDestinationOf(facts);
  if (destination === "") return "";
  const named = firstOf(
    facts,
    "messaging.operation.name",
    "messaging.operation.type",
    "messaging.operation",
  );
  return `${named || (facts.kind === "producer" ? "send" : "process")} ${destination}`;
}

/** Where messages go to or come from; names that live for one connection are not told apart. */
export function messagingDestinationOf(facts: SpanFacts): string {
  const template = facts.span("messaging.destination.template");
  if (template !== "") return template;
  if (facts.span("messaging.destination.temporary") === "true") return "(temporary)";
  if (facts.span("messaging.destination.anonymous") === "true") return "(anonymous)";
  return firstOf(facts, "messaging.destination.name", "messaging.destination");
}

function databaseOperation(facts: SpanFacts): string {
  if (firstOf(facts, "db.system.name", "db.system") === "") return "";
  const summary = facts.span("db.query.summary");
  if (summary !== "") return summary;
  const operation = firstOf(facts, "db.operation.name", "db.operation");
  if (operation === "") return "";
  const collection = firstOf(
    facts,
    "db.collection.name",
    "db.sql.table",
    "db.mongodb.collection",
    "db.cassandra.table",
  );
  return collection === "" ? operation : `${operation} ${collection}`;
}
