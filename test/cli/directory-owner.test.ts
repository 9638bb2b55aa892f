import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { ownDirectory } from "../../cli/directory-owner.ts";
import { temporaryDirectory } from "../collector/temporary.ts";

let other: ChildProcess | undefined;

afterEach(() => {
  other?.kill("SIGKILL");
});

/** A process that does nothing, and its id. */
function startOther(): number {
  other = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" });
  return other.pid as number;
}

test("a directory of a live process is refused, with its id and the remedy", async () => {
  const directory = temporaryDirectory();
  writeFileSync(join(directory, "owner"), String(startOther()));
  await expect(ownDirectory(directory)).rejects.toMatchObject({
    code: "STORE_LOCKED",
    message: expect.stringMatching(/process \d+ has .*--data-dir/),
  });
});

test("what a dead process left is taken, and given back", async () => {
  const directory = temporaryDirectory();
  const pid = startOther();
  other?.kill("SIGKILL");
  await once(other as ChildProcess, "exit");
  writeFileSync(join(directory, "owner"), String(pid));
  const disown = await ownDirectory(directory);
  await disown();
  expect(existsSync(join(directory, "owner"))).toBe(false);
});

test("the same process may open its directory again after a crash of the object", async () => {
  const directory = temporaryDirectory();
  await ownDirectory(directory);
  await expect(ownDirectory(directory)).resolves.toBeTypeOf("function");
});
