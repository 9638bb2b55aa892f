import { describe, expect, test } from "vitest";
import { commands } from "../../cli/commands.ts";
import { runCli } from "../../cli/line/run-cli.ts";
import { createMemorySystem } from "./memory-system.ts";

interface Outcome {
  code: number;
  out: string;
  err: string;
}

/** Runs a command line that ends by itself. */
async function check(line: string, environment = {}): Promise<Outcome> {
  const system = createMemorySystem(environment);
  const argv = line.split(" ").filter(Boolean);
  const code = await runCli(argv, { commands, version: "1.2.3" }, system);
  return { code, out: system.out(), err: system.err() };
}

const names = commands.map(({ name }) => name);

describe("help", () => {
  test.each(commands)("of $name names every option with its text", async ({ name: of, load }) => {
    const command = await load();
    const { code, out, err } = await check(`${of} --help`);
    expect([code, err]).toEqual([0, ""]);
    const words = out.replace(/\s+/g, " ");
    expect(words).toContain(`usage: brunt ${of}`);
    for (const { name, help } of command.options) {
      expect(words).toContain(`--${name}`);
      expect(words).toContain(help);
    }
    for (const line of out.split("\n")) expect(line.length).toBeLessThanOrEqual(100);
    expect((await check(`help ${of}`)).out).toBe(out);
  });

  test("wins over whatever else is wrong with the line", async () => {
    expect((await check("replay --nonsense --help")).code).toBe(0);
  });

  test("of the program lists every command", async () => {
    const { code, out } = await check("--help");
    expect(code).toBe(0);
    expect(names.filter((name) => !out.includes(`\n  ${name} `))).toEqual([]);
    expect((await check("")).err).toBe(out);
  });

  test("shows examples that parse", async () => {
    const loaded = await Promise.all(commands.map(({ load }) => load()));
    const examples = loaded.flatMap((command) => command.examples.map(({ line }) => line));
    for (const line of examples) {
      const { code } = await check(`${line.replace(/^brunt /, "")} --help`);
      expect(code).toBe(0);
    }
    expect(examples.length).toBeGreaterThanOrEqual(commands.length);
  });
});

test.each<[string, string, number, string]>([
  ["nothing", "", 2, "usage: brunt <command>"],
  ["an unknown command", "wacth", 2, 'unknown command "wacth"; did you mean watch?'],
  ["a command like nothing", "zzzzzz", 2, 'unknown command "zzzzzz"\n'],
  ["an unknown option before a command", "--versoin", 2, "did you mean --version?"],
  ["help of an unknown command", "help strat", 2, "did you mean start?"],
  [
    "an unknown option",
    "watch --ulr x",
    2,
    "brunt watch: unknown option --ulr; did you mean --url?",
  ],
  ["a fault that is none", "demo --fault g", 2, "must be one of a, b, c, d, e, f, none"],
  ["no file", "replay", 2, "brunt replay: missing <file>"],
  ["no service", "why", 2, "brunt why: missing <service|incident>"],
  ["no url", "why x --url nonsense", 2, 'not "nonsense"'],
  [
    "nobody there",
    "why x --url http://127.0.0.1:9",
    1,
    "no collector answers at http://127.0.0.1:9",
  ],
  ["a speed of nothing", "replay x --speed 0", 2, "--speed must be max or a number above 0"],
  ["bad configuration", "start --config /nonexistent", 78, "cannot read config /nonexistent"],
  ["a bad endpoint", "start --self-telemetry nonsense --port 0", 78, "self-telemetry endpoint"],
  ["a file that is not there", "replay /nonexistent", 1, "cannot read /nonexistent"],
])("%s", async (_, line, code, message) => {
  const outcome = await check(line);
  expect(outcome.err).toContain(message);
  expect(outcome.code).toBe(code);
  expect(outcome.out).toBe("");
});

test("every problem of the configuration is told, and nothing starts", async () => {
  const environment = { BRUNT_AGENT_GRPC_PORT: "x", BRUNT_COLLECTOR_KEYS_MAX: "1" };
  const { code, err } = await check("start", environment);
  expect(code).toBe(78);
  expect(err).toContain("agent.grpcPort");
  expect(err).toContain("collector.keysMax");
});

test("the version", async () => {
  expect(await check("--version")).toEqual({ code: 0, out: "brunt 1.2.3\n", err: "" });
});
