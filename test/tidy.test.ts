/**
 * Holds the map of ARCHITECTURE.md: who imports whom, which folders are pure, how long files and
 * lines are, that nothing exported is unused, and that docs name what the code has.
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { basename, dirname, join, normalize } from "node:path";
import { describe, expect, test } from "vitest";
import { errorCodes } from "../base/errors.ts";

const rows: readonly (readonly string[])[] = [
  ["base"],
  ["sketch"],
  ["wire", "detectors", "dependency-graph"],
  ["agent", "collector", "ui"],
  ["cli"],
];
const pure = rows.slice(0, 3).flat();
const product = rows.flat();
const linesMax = 300;
const columnsMax = 100;

interface SourceFile {
  readonly path: string;
  readonly folder: string;
  readonly text: string;
}

interface Import {
  readonly from: string;
  readonly to: string;
  readonly typeOnly: boolean;
}

const files: readonly SourceFile[] = execFileSync(
  "git",
  ["ls-files", "--cached", "--others", "--exclude-standard", "*.ts", "*.tsx"],
  { encoding: "utf8" },
)
  .split("\n")
  .filter((path) => path !== "")
  .map((path) => ({
    path,
    folder: path.split("/")[0] as string,
    text: readFileSync(path, "utf8"),
  }));
const sources = files.filter((file) => product.includes(file.folder));

function importsOf(file: SourceFile): Import[] {
  const pattern = /(?:^|\n)\s*(?:import|export)\s+(type\s+)?[^;"']*?from\s+["']([^"']+)["']/g;
  const dynamic = /import\(\s*["']([^"']+)["']\s*\)/g;
  const found = [...file.text.matchAll(pattern)].map((match) => ({
    from: file.path,
    to: match[2] as string,
    typeOnly: match[1] !== undefined,
  }));
  for (const match of file.text.matchAll(dynamic)) {
    found.push({ from: file.path, to: match[1] as string, typeOnly: false });
  }
  return found;
}

function targetFolder(imported: Import): string | undefined {
  if (!imported.to.startsWith(".")) return undefined;
  return normalize(join(dirname(imported.from), imported.to)).split("/")[0];
}

function rowOf(folder: string): number {
  return rows.findIndex((row) => row.includes(folder));
}

function layerFault(imported: Import): string | undefined {
  const from = imported.from.split("/")[0] as string;
  const to = targetFolder(imported);
  if (to === undefined || to === from) return undefined;
  const says = `${imported.from} imports ${imported.to}`;
  if (from === "ui") return to === "wire" && imported.typeOnly ? undefined : says;
  // The demo is a system to look at, not a part of the product; the command line starts it.
  if (from === "cli" && to === "demo") return undefined;
  return rowOf(to) >= 0 && rowOf(to) < rowOf(from) ? undefined : says;
}

describe("layers", () => {
  test("a folder imports lower rows only, the user interface only types of wire", () => {
    expect(sources.flatMap(importsOf).map(layerFault).filter(Boolean)).toEqual([]);
  });

  test("the rule can fail", () => {
    const says = (from: string, to: string, typeOnly = false) =>
      layerFault({ from, to, typeOnly }) !== undefined;
    expect(says("wire/a.ts", "../detectors/b.ts")).toBe(true);
    expect(says("sketch/a.ts", "../wire/b.ts")).toBe(true);
    expect(says("agent/a.ts", "../collector/b.ts")).toBe(true);
    expect(says("ui/src/a.tsx", "../../wire/api-types.ts")).toBe(true);
    expect(says("ui/src/a.tsx", "../../wire/api-types.ts", true)).toBe(false);
    expect(says("cli/a.ts", "../agent/b.ts")).toBe(false);
  });
});

describe("purity of rows 1 to 3", () => {
  const banned: readonly [string, RegExp][] = [
    ["Node built-ins", /from\s+["']node:/],
    ["the real clock", /Date\.now|performance\.now|new Date\(\)/],
    ["unseeded chance", /Math\.random|randomBytes|randomUUID/],
    ["timers", /\bset(Timeout|Interval|Immediate)\(/],
    ["the process", /\bprocess\.\w/],
  ];
  test.each(banned)("none uses %s", (_, pattern) => {
    const guilty = files.filter((file) => pure.includes(file.folder) && pattern.test(file.text));
    expect(guilty.map((file) => file.path)).toEqual([]);
  });
});

describe("shape of files", () => {
  test(`source files have at most ${linesMax} lines`, () => {
    const long = sources.filter((file) => file.text.split("\n").length - 1 > linesMax);
    expect(long.map((file) => file.path)).toEqual([]);
  });

  test(`lines have at most ${columnsMax} columns`, () => {
    const wide = files.flatMap((file) =>
      file.text
        .split("\n")
        .map((line, index) => ({ at: `${file.path}:${index + 1}`, line }))
        .filter(({ line }) => line.length > columnsMax && !/https?:|["'`]/.test(line)),
    );
    expect(wide.map(({ at }) => at)).toEqual([]);
  });

  test("file names are kebab-case", () => {
    const odd = files.filter(
      (file) => !/^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z]+)+$/.test(basename(file.path)),
    );
    expect(odd.map((file) => file.path)).toEqual([]);
  });

  test("no barrels, enums, default exports or vague names", () => {
    const banned = new RegExp(
      [
        "export \\* from",
        "^\\s*(?:export )?(?:const )?enum ",
        "export default",
        "\\b(?:class|function|interface) \\w*(?:Manager|Util|Helper)s?\\b",
      ].join("|"),
      "m",
    );
    const guilty = files.filter(
      (file) => !file.path.endsWith(".config.ts") && banned.test(file.text),
    );
    expect(guilty.map((file) => file.path).filter((path) => path !== "test/tidy.test.ts")).toEqual(
      [],
    );
  });
});

describe("exports", () => {
  test("every exported name is used by another file", () => {
    const everything = files.map((file) => ({
      path: file.path,
      words: new Set(file.text.match(/\w+/g)),
    }));
    const dead = sources.flatMap((file) =>
      [
        ...file.text.matchAll(
          /^export (?:async )?(?:function\*?|const|class|interface|type) (\w+)/gm,
        ),
      ]
        .map((match) => match[1] as string)
        .filter((name) => !isPartOfSignature(file.text, name))
        .filter(
          (name) => !everything.some((other) => other.path !== file.path && other.words.has(name)),
        )
        .map((name) => `${file.path}: ${name}`),
    );
    expect(dead).toEqual([]);
  });
});

/** A type that another export of the same file speaks of belongs to that export. */
function isPartOfSignature(text: string, name: string): boolean {
  const isType = new RegExp(`^export (?:interface|type) ${name}\\b`, "m").test(text);
  return isType && (text.match(new RegExp(`\\b${name}\\b`, "g")) ?? []).length > 1;
}

describe("documents", () => {
  test("docs/errors.md explains exactly the codes there are", () => {
    const headings = [...readFileSync("docs/errors.md", "utf8").matchAll(/^## ([A-Z_]+)$/gm)];
    expect(headings.map((match) => match[1]).sort()).toEqual(Object.keys(errorCodes).sort());
  });

  test("ARCHITECTURE.md draws every folder of the map", () => {
    const text = readFileSync("ARCHITECTURE.md", "utf8");
    expect(product.filter((folder) => !text.includes(`${folder}/`))).toEqual([]);
  });

  test("every decision is listed in ARCHITECTURE.md or CONTRIBUTING.md", () => {
    const known = readFileSync("ARCHITECTURE.md", "utf8") + readFileSync("CONTRIBUTING.md", "utf8");
    const decisions = execFileSync(
      "git",
      ["ls-files", "--cached", "--others", "--exclude-standard", "docs/decisions"],
      { encoding: "utf8" },
    );
    const missing = decisions
      .split("\n")
      .filter((path) => path !== "" && !known.includes(basename(path)));
    expect(missing).toEqual([]);
  });

  test("relative links in Markdown lead somewhere", () => {
    const pages = execFileSync(
      "git",
      ["ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
      { encoding: "utf8" },
    );
    const known = new Set(
      execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], {
        encoding: "utf8",
      }).split("\n"),
    );
    const broken = pages
      .split("\n")
      .filter(Boolean)
      .flatMap((page) =>
        [...readFileSync(page, "utf8").matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)/g)]
          .map((match) => normalize(join(dirname(page), match[1] as string)).replace(/\/$/, ""))
          .filter(
            (target) =>
              ![...known].some((path) => path === target || path.startsWith(`${target}/`)),
          )
          .map((target) => `${page} -> ${target}`),
      );
    expect(broken).toEqual([]);
  });
});
