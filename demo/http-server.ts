/** A service's HTTP side: routes in, JSON out, 500 for its own errors and 502 for those behind. */
import http from "node:http";
import type { AddressInfo } from "node:net";
import { SpanStatusCode, trace } from "@opentelemetry/api";
import { UpstreamError } from "./http-client.ts";
import { answer, ready } from "./line.ts";

export interface Asked {
  readonly params: Readonly<Record<string, string>>;
  readonly headers: http.IncomingHttpHeaders;
  /** The body as it came; `parse` reads it. */
  readonly text: string;
}

/** Gives the body of the answer. */
export type Route = (asked: Asked) => Promise<unknown>;

/** Long, so that the server never closes a connection that a caller is about to use again. */
const keepAliveMs = 600_000;

/** Serves `routes`, keyed like `GET /products/:id`, on a free port that it tells the runner. */
export function serve(routes: Readonly<Record<string, Route>>): void {
  const table = Object.entries(routes).map(([name, route]) => createMatcher(name, route));
  let draining = false;
  const server = http.createServer(async (request, response) => {
    const { status, body } = await respond(table, request);
    if (draining) response.shouldKeepAlive = false;
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(body));
  });
  server.keepAliveTimeout = keepAliveMs;
  server.listen(0, "127.0.0.1", () => ready((server.address() as AddressInfo).port));
  // The last requests are answered before the process may go.
  answer("drain", () => {
    draining = true;
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeIdleConnections();
    return closed.then(() => undefined);
  });
}

export function parse<T>(asked: Asked): T {
  return JSON.parse(asked.text) as T;
}

interface Matcher {
  readonly method: string;
  readonly path: string;
  readonly pattern: RegExp;
  readonly route: Route;
}

interface Response {
  readonly status: number;
  readonly body: unknown;
}

function createMatcher(name: string, route: Route): Matcher {
  const [method = "", path = ""] = name.split(" ");
  const pattern = new RegExp(`^${path.replace(/:(\w+)/g, "(?<$1>[^/]+)")}$`);
  return { method, path, pattern, route };
}

async function respond(
  table: readonly Matcher[],
  request: http.IncomingMessage,
): Promise<Response> {
  const span = trace.getActiveSpan();
  try {
    const text = await readText(request);
    for (const { method, path, pattern, route } of table) {
      const match = request.method === method ? pattern.exec(request.url ?? "") : null;
      if (match === null) continue;
      span?.setAttribute("http.route", path).updateName(`${method} ${path}`);
      const params = match.groups ?? {};
      return { status: 200, body: await route({ params, headers: request.headers, text }) };
    }
    return { status: 404, body: { error: "not found" } };
  } catch (error) {
    if (error instanceof UpstreamError) return { status: 502, body: { error: error.message } };
    span?.recordException(error as Error);
    span?.setStatus({ code: SpanStatusCode.ERROR, message: (error as Error).message });
    return { status: 500, body: { error: "internal error" } };
  }
}

async function readText(request: http.IncomingMessage): Promise<string> {
  let text = "";
  request.setEncoding("utf8");
  for await (const chunk of request) text += chunk;
  return text;
}
