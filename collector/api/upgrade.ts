/** Decides which HTTP upgrades become clients of the event stream. */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { Problem, Result } from "../../base/result.ts";
import type { Access, Pass } from "../access/access.ts";
import type { EventStream, StreamQuery } from "./event-stream.ts";
import { isHostServed, isSameOrigin } from "./origin.ts";
import { statusOf } from "./refusals.ts";
import { type ApiSource, streamPath } from "./routes.ts";

export interface UpgradeOptions {
  readonly host: string;
  readonly allowedHosts: readonly string[];
  readonly source: Pick<ApiSource, "notReady">;
  readonly stream: EventStream;
  readonly access: Access;
}

export function acceptUpgrade(
  options: UpgradeOptions,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): void {
  const problem = upgradeProblem(options, request);
  const query = problem === undefined ? parseStreamQuery(request) : undefined;
  if (problem !== undefined) refuseUpgrade(socket, problem);
  else if (query === undefined) refuseUpgrade(socket, queryProblem);
  else {
    const pass = admit(options.access, request);
    if (pass.ok) options.stream.accept(request, socket, head, { query, pass: pass.value });
    else refuseUpgrade(socket, pass.error);
  }
}

/** A program sends its token, a browser a ticket among the protocols it offers. */
function admit(access: Access, { headers }: IncomingMessage): Result<Pass> {
  const ticket = /(?:^|,)\s*ticket\.([\w-]{1,128})\s*(?:,|$)/.exec(
    headers["sec-websocket-protocol"] ?? "",
  )?.[1];
  if (ticket !== undefined) return access.admitTicket(ticket);
  return access.admit(headers.authorization, "read");
}

const queryProblem: Problem = {
  code: "QUERY_INVALID",
  message: "since must be a whole number from 0, epoch text, and nothing else",
};

function upgradeProblem(options: UpgradeOptions, request: IncomingMessage): Problem | undefined {
  const path = (request.url ?? "").split("?", 1)[0];
  const { host, origin } = request.headers;
  if (path !== streamPath) return { code: "NOT_FOUND", message: `no stream at ${path}` };
  if (!isHostServed(host, options) || !isSameOrigin(origin, host)) {
    return { code: "ORIGIN_REFUSED", message: "the stream is for pages of this origin" };
  }
  const notReady = options.source.notReady();
  if (notReady?.code === "NOT_READY") return notReady;
  if (!options.stream.full) return undefined;
  return { code: "OVERLOADED", message: "the stream has as many clients as it takes" };
}

function parseStreamQuery(request: IncomingMessage): StreamQuery | undefined {
  const query = new URLSearchParams((request.url ?? "").split("?", 2)[1] ?? "");
  const known = [...query.keys()].every((name) => name === "since" || name === "epoch");
  const since = query.get("since");
  if (!known || (since !== null && !/^\d{1,15}$/.test(since))) return undefined;
  return {
    since: since === null ? undefined : Number(since),
    epoch: query.get("epoch") ?? undefined,
  };
}

function refuseUpgrade(socket: Duplex, problem: Problem): void {
  const body = JSON.stringify(problem);
  socket.on("error", () => socket.destroy());
  socket.end(
    `HTTP/1.1 ${statusOf(problem.code)} Refused\r\nConnection: close\r\n` +
      `Content-Type: application/json; charset=utf-8\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}
