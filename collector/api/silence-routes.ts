/** Silences over HTTP: made, listed, ended. */
import type { FastifyInstance } from "fastify";
import type { Silences } from "../notify/silences.ts";
import { sendProblem } from "./refusals.ts";
import { answers, reference, refusals, responseList } from "./schemas.ts";

const silencesPath = "/api/v1/silences";
const bodyBytesMax = 32 * 1_024;

export function addSilenceRoutes(app: FastifyInstance, silences: Silences): void {
  // Whatever a name in the body is, it is refused by our own check and never becomes a prototype.
  app.addContentTypeParser(
    "application/json",
    { parseAs: "string", bodyLimit: bodyBytesMax },
    app.getDefaultJsonParser("ignore", "ignore"),
  );
  const tags = ["silences"];
  app.get(
    silencesPath,
    {
      schema: {
        ...{ operationId: "silences", summary: "Silences in force, the first to end first", tags },
        response: answers(responseList("Silence"), "those in force"),
      },
    },
    () => silences.list(),
  );
  app.post(
    silencesPath,
    {
      schema: {
        ...{ operationId: "silence", summary: "Holds alerts back until an end", tags },
        body: reference("SilenceRequest"),
        response: { 201: { description: "in force", ...reference("Silence") }, ...refusals },
      },
      // Our own check names the field and the limit.
      validatorCompiler: () => () => true,
    },
    async (request, reply) => {
      const added = await silences.add(request.body);
      return added.ok ? reply.code(201).send(added.value) : sendProblem(reply, added.error);
    },
  );
  app.delete<{ Params: { id: string } }>(
    `${silencesPath}/:id`,
    {
      schema: {
        ...{ operationId: "endSilence", summary: "Ends a silence", tags },
        params: { type: "object", required: ["id"], properties: { id: { type: "string" } } },
        response: { 204: { description: "ended", type: "null" }, ...refusals },
      },
    },
    async ({ params: { id } }, reply) => {
      if (await silences.remove(id)) return reply.code(204).send();
      const message = `no silence ${JSON.stringify(id)}`;
      return sendProblem(reply, { code: "NOT_FOUND", message });
    },
  );
}
