/** `brunt doctor`: is everything well, and is every span accounted for? */
import { join } from "node:path";
import { examineAgent } from "../doctor/examine-agent.ts";
import { type CollectorExamination, examineCollector } from "../doctor/examine-collector.ts";
import { examineSpool, examineStore } from "../doctor/examine-disk.ts";
import type { Examination } from "../doctor/finding.ts";
import { isWrong, renderReport } from "../doctor/render-report.ts";
import { spoolPath } from "../identity.ts";
import type { Arguments } from "../line/arguments.ts";
import { type Command, urlOption } from "../line/command.ts";
import { textOption } from "../line/settings.ts";
import { dataDirOption, readDataDir, readToken } from "../line/shared-options.ts";
import { exitCodes, type System } from "../system.ts";

const agentUrlDefault = "http://127.0.0.1:4318";
/** In place of an address: there is none to look at. */
const off = "off";

export const doctorCommand: Command = {
  description: [
    "Looks at agents and their collector over HTTP, and at spool and store on this machine's disk: whether they reach each other, whether clocks agree, whether anything is damaged or silent.",
    "Then it adds up: what an agent received is rejected, open, sealed; what was sealed is acknowledged, in the spool or declared lost; what agents sealed is applied, declared lost or still to come. It ends with 1 when something is wrong or a sum does not hold.",
  ],
  options: [
    { ...urlOption, help: `${urlOption.help}; ${off} for none` },
    {
      name: "agent-url",
      kind: "texts",
      value: "<url>",
      help: `an agent's OTLP/HTTP address, any number of them; ${off} for none`,
      default: agentUrlDefault,
    },
    dataDirOption,
    { name: "json", kind: "flag", help: "print what was found for another program" },
  ],
  examples: [
    { line: "brunt doctor", does: "what brunt start runs on this machine" },
    { line: "brunt doctor --agent-url off --url http://collector:4319", does: "a collector alone" },
  ],
  run: runDoctor,
};

async function runDoctor(args: Arguments, system: System): Promise<number> {
  const { stdout } = system;
  const { ledger, ...examination } = await examine(args, system);
  const wrong = isWrong(examination);
  if (args.options.get("json") === true) {
    stdout.write(`${JSON.stringify({ wrong, ...examination, ledger: ledger ?? null }, null, 2)}\n`);
  } else {
    stdout.write(`${renderReport(examination, stdout).join("\n")}\n`);
  }
  return wrong ? exitCodes.failure : exitCodes.ok;
}

async function examine(args: Arguments, system: System): Promise<CollectorExamination> {
  const { clock, disk, environment, stop } = system;
  const names = { option: "url", variable: "BRUNT_URL", default: urlOption.default as string };
  const url = trimmed(textOption({ args, environment }, names));
  const dataDir = readDataDir(args, system);
  const agents = await Promise.all(agentUrls(args).map((agent) => examineAgent(agent, stop)));
  const collector =
    url === off
      ? { findings: [], sums: [], ledger: undefined }
      : await examineCollector({ url, token: readToken(system) }, { stop, nowMs: clock.nowMs() });
  const disks = await Promise.all([
    examineSpool(disk, spoolPath(dataDir)),
    examineStore(disk, join(dataDir, "collector")),
  ]);
  const all: readonly Examination[] = [
    ...agents,
    collector,
    ...disks.map((findings) => ({ findings, sums: [] })),
  ];
  return {
    findings: all.flatMap(({ findings }) => findings),
    sums: all.flatMap(({ sums }) => sums),
    ledger: collector.ledger,
  };
}

function agentUrls(args: Arguments): readonly string[] {
  const given = args.options.get("agent-url");
  const urls = Array.isArray(given) ? (given as readonly string[]) : [agentUrlDefault];
  return urls.filter((url) => url !== off).map(trimmed);
}

function trimmed(url: string): string {
  return url.replace(/\/+$/, "");
}
