import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { parseArguments } from "../../cli/line/arguments.ts";
import { configOption } from "../../cli/line/command.ts";
import { readSettings } from "../../cli/line/settings.ts";
import { agentOptions, collectorOptions } from "../../cli/line/shared-options.ts";

const folder = mkdtempSync(join(tmpdir(), "brunt-settings-"));
afterAll(() => rmSync(folder, { recursive: true }));

const options = [configOption, ...agentOptions, ...collectorOptions];

interface Given {
  line?: string;
  environment?: Record<string, string>;
  /** Text of the config file. */
  file?: string;
}

/** What the layers come to, of the fields these tests set; or the problems. */
function check({ line = "", environment = {}, file }: Given): unknown {
  const argv = line.split(" ").filter(Boolean);
  const path = join(folder, "config.json");
  if (file !== undefined) {
    writeFileSync(path, file);
    argv.push("--config", path);
  }
  const args = parseArguments({ options }, argv);
  if (!args.ok) return args.error;
  const defaults = { agent: { name: "host" }, collector: { dataDir: "d" } };
  const settings = readSettings({ args: args.value, options, environment, defaults });
  if (!settings.ok) return settings.error.map((problem) => problem.replace(path, "FILE"));
  const { agent, collector } = settings.value;
  return {
    name: agent.name,
    grpcPort: agent.grpcPort,
    dimensions: agent.dimensions,
    port: collector.port,
    dataDir: collector.dataDir,
    ...(collector.webhooks.length > 0 ? { webhooks: collector.webhooks } : {}),
    ...(collector.alertmanagers.length > 0 ? { alertmanagers: collector.alertmanagers } : {}),
  };
}

const base = { name: "host", grpcPort: 4317, dimensions: [], port: 4319, dataDir: "d" };

test.each<[string, Given, unknown]>([
  ["nothing given", {}, base],
  ["a file", { file: '{"agent": {"grpcPort": 1}}' }, { ...base, grpcPort: 1 }],
  [
    "environment over file",
    { file: '{"agent": {"grpcPort": 1}}', environment: { BRUNT_AGENT_GRPC_PORT: "2" } },
    { ...base, grpcPort: 2 },
  ],
  [
    "options over environment",
    { line: "--grpc-port 3", environment: { BRUNT_AGENT_GRPC_PORT: "2" } },
    { ...base, grpcPort: 3 },
  ],
  [
    "lists",
    { environment: { BRUNT_AGENT_DIMENSIONS: "a, b" } },
    { ...base, dimensions: ["a", "b"] },
  ],
  [
    "a list by options",
    { line: "--dimension a --dimension b" },
    { ...base, dimensions: ["a", "b"] },
  ],
  [
    "notifiers",
    {
      line: "--webhook https://a/ --webhook http://b:1/c?d=e",
      environment: { BRUNT_COLLECTOR_ALERTMANAGERS: "http://am:9093, http://am2:9093/x" },
    },
    {
      ...base,
      webhooks: ["https://a/", "http://b:1/c?d=e"],
      alertmanagers: ["http://am:9093", "http://am2:9093/x"],
    },
  ],
  ["other programs' variables", { environment: { PATH: "x", BRUNTX: "y" } }, base],
  [
    "what Kubernetes sets for a Service of our name",
    {
      environment: {
        BRUNT_COLLECTOR_PORT: "tcp://10.0.0.1:4319",
        BRUNT_COLLECTOR_SERVICE_HOST: "10.0.0.1",
        BRUNT_COLLECTOR_SERVICE_PORT: "4319",
        BRUNT_COLLECTOR_SERVICE_PORT_HTTP: "4319",
        BRUNT_COLLECTOR_PORT_4319_TCP_ADDR: "10.0.0.1",
      },
    },
    base,
  ],
  [
    "a variable misspelt",
    { environment: { BRUNT_AGENT_GRPC_PROT: "2" } },
    ["environment: BRUNT_AGENT_GRPC_PROT is not known; did you mean BRUNT_AGENT_GRPC_PORT?"],
  ],
  [
    "a number that is none",
    { environment: { BRUNT_COLLECTOR_PORT: "4e3" } },
    ['collector.port must be a whole number from 0 to 65535, not "4e3"'],
  ],
  ["a file that is not JSON", { file: "{" }, [expect.stringContaining("FILE: is not JSON")]],
  ["a file that is a list", { file: "[]" }, ["FILE: must be a JSON object"]],
  [
    "prototype names in a file",
    { file: '{"__proto__": {"grpcPort": 1}, "agent": {"__proto__": 1}}' },
    [
      "FILE: __proto__ is not known; known are agent, collector",
      expect.stringContaining("agent.__proto__ is not known"),
    ],
  ],
  [
    "a webhook that is no address, with its secret left out",
    { line: "--webhook https://a/s3cret --webhook ftp://b" },
    ["collector.webhooks must be a list of at most 8 http or https addresses"],
  ],
  [
    "targets that mean nothing",
    { environment: { BRUNT_COLLECTOR_ALLOWED_TARGETS: "10.0.0.0/33" } },
    [expect.stringContaining("collector.allowedTargets must be a list of at most 32 hosts")],
  ],
  [
    "every problem of every layer at once",
    {
      file: '{"agent": {"grpcPort": -1}, "agnet": {}, "collector": 3}',
      environment: { BRUNT_COLLECTOR_KEYS_MAX: "1", BRUNT_NOTHING_LIKE_IT: "1" },
    },
    [
      "FILE: agnet is not known; known are agent, collector",
      "FILE: collector must be an object, not 3",
      "environment: BRUNT_NOTHING_LIKE_IT is not known",
      "agent.grpcPort must be a whole number from 0 to 65535, not -1",
      "collector.keysMax must be a whole number from 100 to 1000000, not 1",
    ],
  ],
])("%s", (_, given, expected) => {
  expect(check(given)).toEqual(expected);
});

test("a file that is not there", () => {
  const environment = { BRUNT_CONFIG: join(folder, "absent.json") };
  expect(check({ environment })).toEqual([expect.stringContaining("cannot read config")]);
});
