/**
 * The far side of a client, producer or consumer span, as well as the span alone can name it; a
 * paired callee's service name is better and is learned from edges. The ladder, best first:
 * declared peer service, `db-system:namespace@host:port`, `messaging-system:destination`, RPC
 * service, server address and port, peer address and port, the host of the URL, "unknown".
 */
import { firstOf, type SpanFacts } from "./attributes.ts";
import { messagingDestinationOf, rpcServiceOf } from "./operation.ts";

/** The far side's name; "" for kinds that have none. */
export function peerOf(facts: SpanFacts): string {
  if (facts.kind === "internal" || facts.kind === "server") return "";
  return (
    firstOf(facts, "service.peer.name", "peer.service") ||
    databasePeer(facts) ||
    messagingPeer(facts) ||
    rpcServiceOf(facts) ||
    serverAddress(facts) ||
    peerAddress(facts) ||
    urlHost(firstOf(facts, "url.full", "http.url")) ||
    "unknown"
  );
}

function databasePeer(facts: SpanFacts): string {
  const system = firstOf(facts, "db.system.name", "db.system");
  if (system === "") return "";
  const namespace = firstOf(facts, "db.namespace", "db.name", "db.redis.database_index");
  const address = serverAddress(facts) || peerAddress(facts);
  return `${system}${namespace && `:${namespace}`}${address && `@${address}`}`;
}

function messagingPeer(facts: SpanFacts): string {
  const destination = messagingDestinationOf(facts);
  const system = facts.span("messaging.system");
  if (destination === "") return system;
  return system === "" ? destination : `${system}:${destination}`;
}

function serverAddress(facts: SpanFacts): string {
  return withPort(
    firstOf(facts, "server.address", "net.peer.name"),
    firstOf(facts, "server.port", "net.peer.port"),
  );
}

function peerAddress(facts: SpanFacts): string {
  return withPort(
    firstOf(facts, "network.peer.address", "net.sock.peer.addr", "net.peer.ip"),
    firstOf(facts, "network.peer.port", "net.sock.peer.port", "net.peer.port"),
  );
}

function withPort(address: string, port: string): string {
  if (address === "" || port === "") return address;
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

/** Host and port of an absolute URL, without credentials; "" when there are none. */
function urlHost(url: string): string {
  const match = /^[a-z][a-z0-9+.-]*:\/\/(?:[^/?#@]*@)?([^/?#]+)/i.exec(url);
  return match?.[1] ?? "";
}
