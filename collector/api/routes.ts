/** The API's routes. Their schemas check what comes in and make the OpenAPI document. */
import type { FastifyInstance, FastifyReply } from "fastify";
import { type Meter, renderPrometheus } from "../../base/meter.ts";
import type { Result } from "../../base/result.ts";
import type { Incident, IncidentDetail } from "../../wire/api-types.ts";
import type { CollectorCore } from "../collector-core.ts";
import type { Silences } from "../notify/silences.ts";
import type { KeyQuery } from "../queries.ts";
import { sendProblem } from "./refusals.ts";
import { answers, query, queryInteger, reference, refusals, responseList } from "./schemas.ts";
import { addSilenceRoutes } from "./silence-routes.ts";

/** What the routes answer from. */
export type ApiSource = Pick<
  CollectorCore,
  | "accept"
  | "thresholds"
  | "incidents"
  | "incident"
  | "graph"
  | "keys"
  | "closedWindows"
  | "ledger"
  | "notReady"
>;

export const batchContentType = "application/vnd.brunt.sketch-batch";
export const batchesPath = "/api/v1/batches";
export const thresholdsPath = "/api/v1/thresholds";
export const streamPath = "/api/v1/stream";
export const ticketsPath = "/api/v1/stream/tickets";
export const openApiPath = "/api/v1/openapi.json";

const epochMs = { type: "integer", minimum: 0, maximum: Number.MAX_SAFE_INTEGER };
const prometheusContentType = "text/plain; version=0.0.4; charset=utf-8";
/** Queries that read stored windows may run at one time. */
const queriesMax = 4;

export interface RouteOptions {
  readonly source: ApiSource;
  readonly silences: Silences;
  readonly meter: Meter;
}

export function addRoutes(app: FastifyInstance, { source, silences, meter }: RouteOptions): void {
  addAgentRoutes(app, source);
  addIncidentRoutes(app, source, silences);
  addSilenceRoutes(app, silences);
  addHistoryRoutes(app, source);
  addOperationRoutes(app, source, meter);
}

function addAgentRoutes(app: FastifyInstance, source: ApiSource): void {
  app.post(
    batchesPath,
    {
      schema: {
        operationId: "sendBatch",
        summary: "Takes one sketch batch; the answer means that it is durable",
        tags: ["agents"],
        consumes: [batchContentType],
        body: { type: "string", format: "binary" },
        response: answers(reference("Ack"), "durable, or durable already"),
      },
      // The body is bytes, which no JSON schema can check; the batch decoder does.
      validatorCompiler: () => () => true,
    },
    async ({ body }, reply) => {
      // Other routes take JSON, so it was parsed here as well.
      if (Buffer.isBuffer(body)) return sendResult(reply, await source.accept(body));
      const message = `batches are taken as ${batchContentType} only`;
      return sendProblem(reply, { code: "UNSUPPORTED", message });
    },
  );
  app.get(
    thresholdsPath,
    {
      schema: {
        operationId: "thresholds",
        summary: "From which duration a span is slow, by key",
        tags: ["agents"],
        response: answers(reference("Thresholds"), "the newest thresholds"),
      },
    },
    () => source.thresholds(),
  );
}

function addIncidentRoutes(app: FastifyInstance, source: ApiSource, silences: Silences): void {
  app.get<{ Querystring: { status: "firing" | "resolved" | "all"; limit: number } }>(
    "/api/v1/incidents",
    {
      schema: {
        operationId: "incidents",
        summary: "Incidents, newest first",
        tags: ["incidents"],
        querystring: query({
          status: { type: "string", enum: ["firing", "resolved", "all"], default: "all" },
          limit: queryInteger({ default: 100, min: 1, max: 1_000, description: "at most" }),
        }),
        response: answers(responseList("Incident"), "without graph and anomalies"),
      },
    },
    ({ query: { status, limit } }) =>
      newestFirst(source.incidents())
        .filter((incident) => status === "all" || incident.status === status)
        .slice(0, limit)
        .map((incident) => silences.mark(withoutDetail(incident))),
  );
  app.get<{ Params: { id: string } }>(
    "/api/v1/incidents/:id",
    {
      schema: {
        operationId: "incident",
        summary: "One incident with its root-cause graph",
        tags: ["incidents"],
        params: { type: "object", required: ["id"], properties: { id: { type: "string" } } },
        response: answers(reference("IncidentDetail"), "the incident"),
      },
    },
    ({ params: { id } }, reply) => {
      const incident = source.incident(id);
      if (incident !== undefined) return silences.mark(incident);
      const message = `no incident ${JSON.stringify(id)}`;
      return sendProblem(reply, { code: "NOT_FOUND", message });
    },
  );
  app.get(
    "/api/v1/graph",
    {
      schema: {
        operationId: "graph",
        summary: "Services and the calls between them, as of the last window",
        tags: ["incidents"],
        response: answers(reference("RootCauseGraph"), "the dependency graph"),
      },
    },
    () => source.graph(),
  );
}

function addHistoryRoutes(app: FastifyInstance, source: ApiSource): void {
  let running = 0;
  app.get<{ Querystring: KeyQuery }>(
    "/api/v1/keys",
    {
      schema: {
        operationId: "keys",
        summary: "The busiest composite keys of a stretch of time, merged",
        tags: ["history"],
        querystring: query({
          service: { type: "string", maxLength: 256, default: "", description: "'' for all" },
          operation: { type: "string", maxLength: 1024, default: "", description: "'' for all" },
          from: { ...epochMs, description: "windows that start then or later, in epoch ms" },
          to: { ...epochMs, description: "windows that start before, in epoch ms" },
          limit: queryInteger({ default: 100, min: 1, max: 10_000, description: "at most" }),
          windows: queryInteger({
            ...{ default: 6, min: 1, max: 60 },
            description: "newest to merge, without from and to",
          }),
        }),
        response: answers(responseList("KeySummary"), "busiest first"),
      },
    },
    async (request, reply) => {
      if (running >= queriesMax) {
        const message = `${queriesMax} queries are running; try again`;
        return sendProblem(reply, { code: "OVERLOADED", message });
      }
      running++;
      try {
        return sendResult(reply, await source.keys(request.query));
      } finally {
        running--;
      }
    },
  );
  app.get<{ Querystring: { limit: number } }>(
    "/api/v1/windows",
    {
      schema: {
        operationId: "windows",
        summary: "Closed windows, newest first",
        tags: ["history"],
        querystring: query({
          limit: queryInteger({ default: 60, min: 1, max: 10_000, description: "at most" }),
        }),
        response: answers(responseList("WindowSummary"), "newest first"),
      },
    },
    ({ query: { limit } }) => source.closedWindows(limit),
  );
}

function addOperationRoutes(app: FastifyInstance, source: ApiSource, meter: Meter): void {
  const text = (operationId: string, summary: string) => ({
    operationId,
    summary,
    tags: ["operation"],
    produces: ["text/plain"],
    response: { 200: { description: "text", type: "string" }, "5xx": refusals["5xx"] },
  });
  app.get(
    "/api/v1/ledger",
    {
      schema: {
        operationId: "ledger",
        summary: "What became of every span that agents sealed, by stream",
        tags: ["operation"],
        response: answers(reference("LedgerReport"), "applied, declared lost or still missing"),
      },
    },
    () => source.ledger(),
  );
  app.get("/metrics", { schema: text("metrics", "Prometheus metrics") }, (_, reply) =>
    reply.type(prometheusContentType).send(renderPrometheus(meter)),
  );
  app.get("/livez", { schema: text("livez", "The process answers") }, (_, reply) =>
    reply.type("text/plain").send("ok\n"),
  );
  app.get("/readyz", { schema: text("readyz", "Batches are taken") }, (_, reply) => {
    const problem = source.notReady();
    if (problem !== undefined) return sendProblem(reply, problem);
    return reply.type("text/plain").send("ok\n");
  });
}

function sendResult<T>(reply: FastifyReply, result: Result<T>): FastifyReply {
  return result.ok ? reply.send(result.value) : sendProblem(reply, result.error);
}

function newestFirst(incidents: readonly IncidentDetail[]): IncidentDetail[] {
  return [...incidents].sort((a, b) => b.startedAtMs - a.startedAtMs);
}

/** The incident as lists and the stream carry it. */
export function withoutDetail({ graph: _, anomalies: __, ...incident }: IncidentDetail): Incident {
  return incident;
}
