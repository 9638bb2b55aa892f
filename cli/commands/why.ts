/** `brunt why`: the root-cause graph of an incident, or the surroundings of a service. */
import type { Incident, IncidentDetail, RootCauseGraph } from "../../wire/api-types.ts";
import { type ApiClient, createApiClient } from "../client/api-client.ts";
import type { Arguments } from "../line/arguments.ts";
import { type Command, CommandError, urlOption } from "../line/command.ts";
import { nearestName } from "../line/nearest-name.ts";
import { textOption } from "../line/settings.ts";
import { readToken } from "../line/shared-options.ts";
import { exitCodes, type System } from "../system.ts";
import { formatTime } from "../terminal/format.ts";
import { newestFirst } from "../terminal/order-incidents.ts";
import { renderNeighbours, renderWalk } from "../terminal/render-graph.ts";
import { renderIncident } from "../terminal/render-incident.ts";
import { printable } from "../terminal/terminal.ts";

export const whyCommand: Command = {
  description: [
    "Prints the walk from the customer-facing entry to the cause as a tree, with the evidence and numbers of each hop and how far it carries: confirmed, likely or inconclusive.",
    "For a service it takes the newest incident that touches it, a firing one first; when there is none it shows who calls the service and whom it calls.",
  ],
  positional: { name: "<service|incident>", countMin: 1, countMax: 1 },
  options: [urlOption, { name: "json", kind: "flag", help: "print what the API answers" }],
  examples: [
    { line: "brunt why payments", does: "the newest incident that touches payments" },
    { line: "brunt why payments --json", does: "the same for another program" },
  ],
  run: runWhy,
};

async function runWhy(args: Arguments, system: System): Promise<number> {
  const environment = system.environment;
  const url = textOption(
    { args, environment },
    { option: "url", variable: "BRUNT_URL", default: urlOption.default as string },
  );
  const name = args.positionals[0] as string;
  const client = createApiClient({ url, token: readToken(system) }, system.stop);
  const found = await findIncident(client, name);
  const { stdout } = system;
  if (args.options.get("json") === true) {
    const answer = found ?? (await graphWith(client, name));
    stdout.write(`${JSON.stringify(answer, null, 2)}\n`);
  } else if (found !== undefined) {
    stdout.write(incidentText(found, system));
  } else {
    const graph = await graphWith(client, name);
    stdout.write(`${renderNeighbours(graph, name, stdout).join("\n")}\n\nno incident touches it\n`);
  }
  return exitCodes.ok;
}

/** By id, else the newest that touches the service, firing ones first. */
async function findIncident(client: ApiClient, name: string): Promise<IncidentDetail | undefined> {
  const byId = await readIncident(client, name);
  if (byId !== undefined) return byId;
  const incidents = (await client.read<readonly Incident[]>("/api/v1/incidents")) ?? [];
  for (const { id } of newestFirst(incidents)) {
    const detail = await readIncident(client, id);
    if (detail !== undefined && touches(detail, name)) return detail;
  }
  return undefined;
}

function readIncident(client: ApiClient, id: string): Promise<IncidentDetail | undefined> {
  return client.read<IncidentDetail>(`/api/v1/incidents/${encodeURIComponent(id)}`);
}

/** A service is touched when the walk passes it, it is an entry, or it is itself not healthy. */
export function touches({ graph, cause, impact }: IncidentDetail, service: string): boolean {
  return (
    cause.name === service ||
    impact.entries.some((entry) => entry.service === service) ||
    graph.hops.some(({ from, to }) => from === service || to === service) ||
    graph.nodes.some(({ id, aliases, role }) =>
      role === "healthy" ? false : id === service || aliases.includes(service),
    )
  );
}

/** @throws {CommandError} when the graph has no such node */
async function graphWith(client: ApiClient, name: string): Promise<RootCauseGraph> {
  const graph = await client.read<RootCauseGraph>("/api/v1/graph");
  const names = graph?.nodes.map(({ id }) => id) ?? [];
  if (graph !== undefined && names.includes(name)) return graph;
  const nearest = nearestName(name, names);
  const hint = nearest === undefined ? knownText(names) : `did you mean ${nearest}?`;
  throw new CommandError(
    `no incident or service ${JSON.stringify(name)}; ${hint}`,
    exitCodes.failure,
  );
}

const namesShownMax = 20;
const departuresMax = 5;

function knownText(names: readonly string[]): string {
  if (names.length === 0) return "the collector has seen no service yet";
  const more = names.length > namesShownMax ? ", …" : "";
  return `known services: ${[...names].sort().slice(0, namesShownMax).join(", ")}${more}`;
}

export function incidentText(incident: IncidentDetail, system: Pick<System, "stdout">): string {
  const { stdout } = system;
  const moment = incident.status === "firing" ? "firing" : "resolved";
  const block = renderIncident({ incident, moment, hops: [] }, stdout);
  const walk = renderWalk(incident.graph, incident.signal, stdout);
  const body = walk.length > 0 ? [...walk] : ["no walk: nothing led away from the entry"];
  const departures = incident.anomalies.slice(0, departuresMax).map(({ sentence }) => {
    return `  ${printable(sentence)}`;
  });
  if (departures.length > 0) body.push("", "what departs from the usual", ...departures);
  const asOf = stdout.style.dim(`numbers since ${formatTime(incident.startedAtMs)}`);
  return `${block}\n${body.join("\n")}\n\n${asOf}\n`;
}
