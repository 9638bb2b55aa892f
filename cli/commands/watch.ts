/** `brunt watch`: follows the incidents of a collector in the terminal. */
import type { IncidentDetail, StreamMessage } from "../../wire/api-types.ts";
import { type ApiClient, createApiClient } from "../client/api-client.ts";
import { followStream } from "../client/follow-stream.ts";
import type { Arguments } from "../line/arguments.ts";
import { type Command, urlOption } from "../line/command.ts";
import { textOption } from "../line/settings.ts";
import { readToken } from "../line/shared-options.ts";
import { exitCodes, type System } from "../system.ts";
import { createIncidentPrinter } from "../terminal/incident-printer.ts";

export const watchCommand: Command = {
  description: [
    "Follows the collector's event stream. Each incident is one block: its title, the cause, where exactly it is, the customers affected with their 95 % bounds, and the path from the entry to the cause. While only its numbers move, an update is one line.",
    "After a lost connection it comes back and asks for what followed; events the collector no longer keeps are named as a gap.",
  ],
  options: [
    urlOption,
    {
      name: "since",
      kind: "integer",
      value: "<number>",
      help: "begin after this event number, as far back as the collector keeps them",
    },
    { name: "json", kind: "flag", help: "print each message as one line of JSON" },
  ],
  examples: [
    { line: "brunt watch", does: "follow the collector on this machine" },
    { line: "brunt watch --since 0 --json", does: "everything still kept, for another program" },
  ],
  run: runWatch,
};

async function runWatch(args: Arguments, system: System): Promise<number> {
  const environment = system.environment;
  const url = textOption(
    { args, environment },
    { option: "url", variable: "BRUNT_URL", default: urlOption.default as string },
  );
  const client = createApiClient({ url, token: readToken(system) }, system.stop);
  const since = args.options.get("since") as number | undefined;
  const sink = args.options.get("json") === true ? jsonSink(system) : textSink(client, system);
  const { clock, stop } = system;
  await followStream({ url: client.url, token: readToken(system), since, clock, stop, ...sink });
  await sink.drain();
  return exitCodes.ok;
}

function jsonSink({ stdout, stderr }: System) {
  return {
    onMessage: (message: StreamMessage) => stdout.write(`${JSON.stringify(message)}\n`),
    onLost: ({ reason, retryMs }: { reason: string; retryMs: number }) =>
      stderr.write(`connection lost (${reason}); trying again in ${retryMs / 1000} s\n`),
    drain: async () => {},
  };
}

function textSink(client: ApiClient, system: System) {
  const printer = createIncidentPrinter({
    terminal: system.stdout,
    nowMs: () => system.clock.nowMs(),
    hopsOf: (id) => hopsOf(client, id),
  });
  return { onMessage: printer.print, onLost: printer.printLoss, drain: printer.drain };
}

/** The path is an extra: a block without it is better than none. */
async function hopsOf(client: ApiClient, id: string) {
  const path = `/api/v1/incidents/${encodeURIComponent(id)}`;
  const detail = await client.read<IncidentDetail>(path).catch(() => undefined);
  return detail?.graph.hops ?? [];
}
