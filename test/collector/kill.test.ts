/** A collector in a process of its own, killed with SIGKILL while batches arrive. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { build } from "vite";
import { afterEach, describe, expect, test } from "vitest";
import { createPrng } from "../../base/prng.ts";
import { type BatchSpec, bytesOf, startCollector, startMs } from "./fixture.ts";
import { temporaryDirectory } from "./temporary.ts";

const seed = 5;
const kills = 6;
/** Few enough that most batches still wait when the process dies. */
const inFlight = 8;
const entry = `
import { startCollector, startMs } from ${JSON.stringify(resolve("test/collector/fixture.ts"))};
const { collector } = await startCollector({ dataDir: process.argv[2], nowMs: startMs + 20_000 });
console.log(collector.port);
setInterval(() => {}, 1_000);
`;
const children: ChildProcess[] = [];

afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

/** One plain JavaScript file of the collector, for a Node that reads no TypeScript. */
async function bundle(directory: string): Promise<string> {
  const source = join(directory, "entry.ts");
  writeFileSync(source, entry);
  mkdirSync(join(directory, "out"));
  symlinkSync(resolve("node_modules"), join(directory, "node_modules"));
  await build({
    configFile: false,
    logLevel: "silent",
    build: {
      ssr: source,
      outDir: join(directory, "out"),
      target: "node20",
      rollupOptions: { output: { entryFileNames: "entry.mjs" } },
    },
  });
  return join(directory, "out", "entry.mjs");
}

async function startProcess(script: string, dataDir: string) {
  const child = spawn(process.execPath, [script, dataDir], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.push(child);
  const [line] = await once(createInterface({ input: child.stdout }), "line");
  return { child, url: `http://127.0.0.1:${line}/api/v1/batches` };
}

const batches = Array.from(
  { length: 240 },
  (_, at): BatchSpec => ({
    stream: 1 + (at % 4),
    seq: 1 + Math.floor(at / 4),
    window: 0,
    spans: [{ ms: at + 1 }, { failed: at % 5 === 0 }],
  }),
);

/** Whether the batch was acknowledged before the process died. */
async function send(url: string, batch: BatchSpec): Promise<boolean> {
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/vnd.brunt.sketch-batch" },
      body: Buffer.from(bytesOf(batch)),
    });
    return response.status === 200;
  } catch {
    return false;
  }
}

describe("kill -9 while batches arrive", () => {
  test(`${kills} times: what was acknowledged is there, and nothing counts twice`, async () => {
    const directory = temporaryDirectory();
    const dataDir = join(directory, "data");
    const script = await bundle(directory);
    const chance = createPrng(seed);
    const acknowledged = new Set<BatchSpec>();
    for (let round = 0; round < kills; round++) {
      const { child, url } = await startProcess(script, dataDir);
      const waiting = batches.filter((batch) => !acknowledged.has(batch));
      const killAt = 1 + chance.integer(Math.floor(waiting.length / kills));
      let answered = 0;
      const lane = async (): Promise<void> => {
        for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
          if (!(await send(url, next))) return;
          acknowledged.add(next);
          answered++;
          if (answered === killAt) child.kill("SIGKILL");
        }
      };
      await Promise.all(Array.from({ length: inFlight }, lane));
    }
    expect(acknowledged.size).toBeGreaterThan(kills - 1);
    expect(acknowledged.size).toBeLessThan(batches.length);
    // Only what was never acknowledged is sent again, as an agent does.
    const survivor = await startCollector({ dataDir, nowMs: startMs + 20_000 });
    for (const batch of batches) if (!acknowledged.has(batch)) await survivor.send(batch);
    await survivor.advance(30_000);
    const windows = survivor.decider.seen.filter((window) => window.startMs === startMs);
    expect(windows.at(-1)).toMatchObject({ spans: 480, errors: 48 });
    await survivor.collector.shutdown();
  });
});
