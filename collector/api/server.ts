/** The collector's one HTTP server: batches, API, stream, metrics and the user interface. */
import type { AddressInfo } from "node:net";
import swagger from "@fastify/swagger";
import Fastify, { type FastifyInstance, type FastifyRequest } from "fastify";
import { OperationalError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { Meter } from "../../base/meter.ts";
import type { Problem } from "../../base/result.ts";
import type { Access, Pass } from "../access/access.ts";
import type { Scope } from "../access/tokens.ts";
import { batchBytesMax } from "../ingest/ingest.ts";
import type { Silences } from "../notify/silences.ts";
import { type ByteBudget, createByteBudget } from "./byte-budget.ts";
import { type EventStream, streamProtocol } from "./event-stream.ts";
import { isHostServed } from "./origin.ts";
import { problemOf, sendProblem } from "./refusals.ts";
import {
  type ApiSource,
  addRoutes,
  batchContentType,
  batchesPath,
  openApiPath,
  streamPath,
  thresholdsPath,
  ticketsPath,
} from "./routes.ts";
import { sharedSchemas } from "./schemas.ts";
import type { UiManifest } from "./ui-manifest.ts";
import { acceptUpgrade } from "./upgrade.ts";

export interface ServerOptions {
  readonly host: string;
  readonly port: number;
  readonly allowedHosts: readonly string[];
  readonly inFlightBytesMax: number;
  readonly source: ApiSource;
  readonly silences: Silences;
  readonly stream: EventStream;
  readonly access: Access;
  readonly ui: UiManifest;
  readonly log: Log;
  readonly meter: Meter;
}

export interface Server {
  readonly port: number;
  shutdown(): Promise<void>;
}

const requestTimeoutMs = 15_000;
const headersTimeoutMs = 10_000;
const idleTimeoutMs = 60_000;
const connectionsMax = 2_000;
const securityHeaders: Readonly<Record<string, string>> = {
  "content-security-policy":
    "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-resource-policy": "same-origin",
};

/** Listens, or throws ADDRESS_IN_USE. */
export async function startServer(options: ServerOptions): Promise<Server> {
  const app = await createApp(options);
  app.server.headersTimeout = headersTimeoutMs;
  app.server.maxConnections = connectionsMax;
  app.server.on("upgrade", (request, socket, head) => {
    acceptUpgrade(options, request, socket, head);
  });
  try {
    await app.listen({ host: options.host, port: options.port });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "EADDRINUSE") throw cause;
    throw new OperationalError(
      "ADDRESS_IN_USE",
      `port ${options.port} on ${options.host} is taken; set collector.port to another, or 0`,
      { cause },
    );
  }
  const { port } = app.server.address() as AddressInfo;
  return { port, shutdown: () => app.close() };
}

async function createApp(options: ServerOptions): Promise<FastifyInstance> {
  const app = Fastify({
    logger: false,
    bodyLimit: batchBytesMax,
    requestTimeout: requestTimeoutMs,
    connectionTimeout: idleTimeoutMs,
    keepAliveTimeout: idleTimeoutMs,
    forceCloseConnections: true,
    exposeHeadRoutes: false,
    // An unknown or wrongly typed parameter is the sender's mistake to hear of, not ours to drop.
    ajv: { customOptions: { removeAdditional: false, coerceTypes: true, allErrors: false } },
    frameworkErrors: (_, request, reply) => {
      // A path that cannot even be read names nothing; hooks have not run for it.
      reply.headers(securityHeaders);
      sendProblem(reply, notFound(request));
    },
  });
  app.setSerializerCompiler(() => (value) => JSON.stringify(value));
  for (const schema of sharedSchemas) app.addSchema(schema);
  await addDocument(app);
  addContentTypes(app);
  addHooks(app, options, createByteBudget(options.inFlightBytesMax, options.meter));
  addErrorAnswers(app, options.log);
  addRoutes(app, options);
  addTickets(app, options.access);
  app.get(openApiPath, { schema: { hide: true } }, () => app.swagger());
  addUi(app, options.ui);
  return app;
}

async function addDocument(app: FastifyInstance): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "Brunt collector",
        description: `Incidents by customers affected. ${streamPath} is a WebSocket of numbered events.`,
        version: "1",
      },
    },
    refResolver: {
      buildLocalReference: (json) => String(json.$id),
    },
  });
}

function addContentTypes(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(batchContentType, { parseAs: "buffer" }, (_, body, done) => {
    done(null, body);
  });
}

function addHooks(app: FastifyInstance, options: ServerOptions, budget: ByteBudget): void {
  app.addHook("onRequest", async (request, reply) => {
    reply.headers(securityHeaders);
    if (!isHostServed(request.headers.host, options)) {
      const message = "this host name is not served; list it under collector.allowedHosts";
      return sendProblem(reply, { code: "ORIGIN_REFUSED", message });
    }
    const path = pathOf(request);
    const scope = scopeOf(request.method, path);
    if (scope !== undefined) {
      const pass = options.access.admit(request.headers.authorization, scope);
      if (!pass.ok) return sendProblem(reply, pass.error);
      passes.set(request, pass.value);
    }
    const problem = path.startsWith("/api/") ? options.source.notReady() : undefined;
    if (problem !== undefined && problem.code === "NOT_READY") return sendProblem(reply, problem);
    if (path !== batchesPath) return undefined;
    // The length is taken before the body is read; without one the most a body can be.
    const release = budget.take(declaredLength(request));
    if (release === undefined) {
      const message = `${options.inFlightBytesMax} bytes of batches are in flight; try again`;
      return sendProblem(reply, { code: "OVERLOADED", message });
    }
    reply.raw.once("close", release);
    return undefined;
  });
}

/** What a request needs; the page itself and whether the process lives are for everybody. */
function scopeOf(method: string, path: string): Scope | undefined {
  if (path === batchesPath || path === thresholdsPath) return "agent";
  if (path === ticketsPath || path === "/metrics") return "read";
  if (!path.startsWith("/api/")) return undefined;
  return method === "GET" ? "read" : "admin";
}

/** What each request was let in with, for the routes that hand it on. */
const passes = new WeakMap<FastifyRequest, Pass>();

function addTickets(app: FastifyInstance, access: Access): void {
  app.post(
    ticketsPath,
    {
      schema: {
        operationId: "streamTicket",
        summary: "A ticket for a browser to open the stream with, once and soon",
        tags: ["incidents"],
        description: `offer the protocols ${streamProtocol} and ticket.<ticket>`,
      },
    },
    (request) => access.issueTicket(passes.get(request) as Pass),
  );
}

function declaredLength(request: FastifyRequest): number {
  const length = Number(request.headers["content-length"] ?? batchBytesMax);
  return Number.isFinite(length) ? Math.min(Math.max(length, 0), batchBytesMax) : batchBytesMax;
}

function addErrorAnswers(app: FastifyInstance, log: Log): void {
  app.setErrorHandler((error: Error, request, reply) => {
    const problem = problemOf(error, batchBytesMax);
    if (problem !== undefined) return sendProblem(reply, problem);
    log.error("a request failed", { path: pathOf(request), reason: String(error.stack) });
    return sendProblem(reply, {
      code: "INTERNAL",
      message: "a fault of the collector; see its log",
    });
  });
  app.setNotFoundHandler((request, reply) => sendProblem(reply, notFound(request)));
}

function addUi(app: FastifyInstance, ui: UiManifest): void {
  app.get("/*", { schema: { hide: true } }, (request, reply) => {
    const path = pathOf(request);
    const file = ui.get(path);
    if (file === undefined) return sendProblem(reply, path === "/" ? noUi : notFound(request));
    reply.headers({ etag: file.etag, "cache-control": file.cacheControl });
    if (request.headers["if-none-match"] === file.etag) return reply.code(304).send();
    return reply.type(file.contentType).send(file.bytes);
  });
}

const noUi: Problem = {
  code: "NOT_FOUND",
  message: "the user interface is not built; run npm run build, then start the collector again",
};

function notFound(request: FastifyRequest): Problem {
  return { code: "NOT_FOUND", message: `no route ${request.method} ${pathOf(request)}` };
}

/** The path as it was sent, never decoded. */
function pathOf(request: FastifyRequest): string {
  return (request.raw.url ?? "").split("?", 1)[0] as string;
}
