import { describe, expect, test } from "vitest";
import { type ArgumentSpec, parseArguments } from "../../cli/line/arguments.ts";
import { nearestName } from "../../cli/line/nearest-name.ts";

const spec: ArgumentSpec = {
  positional: { name: "<file>", countMin: 1, countMax: 2 },
  options: [
    { name: "port", kind: "integer", value: "<port>", help: "", min: 0, max: 65_535 },
    { name: "learn", kind: "number", value: "<seconds>", help: "" },
    { name: "dimension", kind: "texts", value: "<name>", help: "" },
    { name: "fault", kind: "text", value: "<letter>", help: "", choices: ["a", "b"] },
    { name: "data-dir", kind: "text", value: "<dir>", help: "" },
    { name: "json", kind: "flag", help: "" },
  ],
};

/** Options and positionals, or the problems. */
function check(line: string): unknown {
  const parsed = parseArguments(spec, line.split(" ").filter(Boolean));
  if (!parsed.ok) return parsed.error;
  return [Object.fromEntries(parsed.value.options), ...parsed.value.positionals];
}

test.each<[string, string, unknown]>([
  ["positional only", "f", [{}, "f"]],
  ["space and equals", "f --port 1 --learn=2.5", [{ port: 1, learn: 2.5 }, "f"]],
  ["repeated", "f --dimension a --dimension b", [{ dimension: ["a", "b"] }, "f"]],
  ["flag", "--json f", [{ json: true }, "f"]],
  ["after --", "-- --json", [{}, "--json"]],
  ["choice", "f --fault b", [{ fault: "b" }, "f"]],
  ["a value that begins with a dash", "f --data-dir=-x", [{ "data-dir": "-x" }, "f"]],
  ["misspelt", "f --prot 1", ["unknown option --prot; did you mean --port?"]],
  ["nothing near", "f --zebra", ["unknown option --zebra"]],
  ["short", "f -j", ["unknown option -j"]],
  ["not negatable", "f --no-json", ["unknown option --no-json"]],
  ["prototype name", "f --__proto__ 1", ["unknown option --__proto__"]],
  ["missing value", "f --port", ["--port needs a value, <port>"]],
  ["option for a value", "f --data-dir --json", ["--data-dir needs a value, <dir>"]],
  ["flag with a value", "f --json=1", ['--json takes no value, not "1"']],
  ["too large", "f --port 65536", ['--port must be a whole number from 0 to 65535, not "65536"']],
  ["not whole", "f --port 1.5", ['--port must be a whole number from 0 to 65535, not "1.5"']],
  ["not a number", "f --learn 1e3", ['--learn must be a number from 0 on, not "1e3"']],
  ["no such choice", "f --fault z", ['--fault must be one of a, b, not "z"']],
  ["twice", "f --port 1 --port 2", ["--port is given more than once"]],
  ["too few", "", ["missing <file>"]],
  ["too many", "a b c", ['unexpected argument "c"']],
  [
    "every problem at once",
    "--prot 1 --fault z a b c",
    [
      "unknown option --prot; did you mean --port?",
      '--fault must be one of a, b, not "z"',
      'unexpected argument "b"',
      'unexpected argument "c"',
    ],
  ],
])("%s", (_, line, expected) => {
  expect(check(line)).toEqual(expected);
});

describe("the nearest name", () => {
  test.each([
    ["wacth", "watch"],
    ["strat", "start"],
    ["dmeo", "demo"],
    ["reply", "replay"],
    ["xyzzy", undefined],
    ["", undefined],
  ])("of %j is %j", (given, nearest) => {
    expect(nearestName(given, ["start", "watch", "demo", "replay", "why"])).toBe(nearest);
  });
});
