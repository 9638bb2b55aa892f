import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type BuiltBrunt, buildBrunt } from "./built-brunt.ts";

let built: BuiltBrunt;
beforeAll(() => {
  built = buildBrunt();
});
afterAll(() => built.remove());

const ports = { agent: ["--grpc-port", "0", "--http-port", "0"], collector: ["--port", "0"] };

/** The packages and the folders of ours that a running command has loaded. */
async function check(command: "agent" | "collector", ...more: readonly string[]) {
  const brunt = built.start([command, ...ports[command], ...more]);
  await brunt.says(/ is up/);
  const urls = (await brunt.scripts()).filter((url) => url.startsWith("file:"));
  const code = await brunt.stop();
  const packages = urls.flatMap((url) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1] ?? []);
  const own = urls
    .filter((url) => !url.includes("/node_modules/"))
    .map((url) => url.split("/").slice(-3).join("/"));
  return { code, packages: new Set(packages), own };
}

describe("what a command loads", () => {
  test("an agent loads no package at all, and of the collector only its configuration", async () => {
    const { code, packages, own } = await check("agent");
    expect(code).toBe(0);
    expect([...packages]).toEqual([]);
    expect(own.filter((path) => path.includes("collector/"))).toEqual([
      expect.stringMatching(/collector\/config\.js$/),
      "collector/notify/address-guard.js",
    ]);
    expect(own).toContainEqual(expect.stringMatching(/agent\/receivers\/grpc\.js$/));
  });

  test("the list is not blind: a collector's shows fastify and ws", async () => {
    const { packages } = await check("collector");
    expect([...packages]).toEqual(expect.arrayContaining(["fastify", "ws"]));
  });

  test("what MQTT needs is loaded for MQTT alone, and by each side only its own", async () => {
    const agent = await check("agent", "--collector", "mqtt://127.0.0.1:1");
    expect(agent.code).toBe(0);
    expect([...agent.packages]).toContain("mqtt");
    expect(agent.own.filter((path) => path.includes("collector/mqtt"))).toEqual([]);
    const { packages: plain } = await check("collector");
    expect([...plain].filter((name) => name.startsWith("mqtt"))).toEqual([]);
    const { packages: hosting } = await check("collector", "--mqtt-listen", "0");
    expect([...hosting].filter((name) => name.startsWith("mqtt"))).toEqual(["mqtt-packet"]);
  });
});
