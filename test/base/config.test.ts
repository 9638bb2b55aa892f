import { expect, test } from "vitest";
import {
  booleanField,
  defaultsOf,
  type Fields,
  integerField,
  numberField,
  parseConfig,
  textField,
  textsField,
} from "../../base/config.ts";

interface Sample {
  port: number;
  ratio: number;
  host: string;
  pages: boolean;
  dimensions: readonly string[];
}

const fields: Fields<Sample> = {
  port: integerField({ default: 4319, min: 0, max: 65_535 }),
  ratio: numberField({ default: 0.5, min: 0, max: 1 }),
  host: textField({ default: "127.0.0.1", pattern: /^\S+$/, hint: "a host name" }),
  pages: booleanField({ default: true }),
  dimensions: textsField({ default: [], countMax: 2 }),
};

function check(raw: unknown): unknown {
  const parsed = parseConfig(fields, raw);
  return parsed.ok ? parsed.value : parsed.error;
}

const defaults = defaultsOf(fields);

test.each([
  ["nothing given", {}, defaults],
  ["one value given", { port: 0 }, { ...defaults, port: 0 }],
  ["not an object", 3, ["config must be an object, not 3"]],
  [
    "every problem at once",
    { port: 70_000, ratio: 2, host: "a b", pages: 1, dimensions: ["a", "b", "c"], extra: 1 },
    [
      "config.port must be a whole number from 0 to 65535, not 70000",
      "config.ratio must be a number from 0 to 1, not 2",
      'config.host must be a host name, not "a b"',
      "config.pages must be true or false, not 1",
      'config.dimensions must be a list of at most 2 texts, not ["a","b","c"]',
      "config.extra is not known; known are port, ratio, host, pages, dimensions",
    ],
  ],
  [
    "a name from the prototype is unknown",
    JSON.parse('{"__proto__": 1}'),
    ["config.__proto__ is not known; known are port, ratio, host, pages, dimensions"],
  ],
])("%s", (_, raw, expected) => {
  expect(check(raw)).toEqual(expected);
});
