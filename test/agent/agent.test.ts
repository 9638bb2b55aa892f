import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { type AgentSettings, createAgent } from "../../agent/agent.ts";
import { type AgentConfig, defaultAgentConfig, parseAgentConfig } from "../../agent/config.ts";
import { createVirtualClock } from "../../base/clock.ts";
import { silentLog } from "../../base/log.ts";
import { createMeter } from "../../base/meter.ts";
import { nodeDisk } from "../../cli/node-disk.ts";
import { createRecordingLink, fixtureStartMs, jsonOf, requestOf, seededBytes } from "./fixture.ts";

const secret = "00112233445566778899aabbccddeeff";

function check(config: Partial<AgentConfig> = {}) {
  const link = createRecordingLink();
  const settings: AgentSettings = {
    clock: createVirtualClock(fixtureStartMs),
    log: silentLog,
    meter: createMeter(),
    link,
    disk: nodeDisk,
    randomBytes: seededBytes(2),
  };
  const all = { ...defaultAgentConfig(), grpcPort: 0, httpPort: 0, ...config };
  return { link, agent: createAgent(all, settings) };
}

function parsed(raw: unknown): AgentConfig {
  const config = parseAgentConfig(raw);
  if (!config.ok) throw new Error(config.error.join("; "));
  return config.value;
}

describe("life of an agent", () => {
  test("shutdown without start, and twice", async () => {
    const { agent } = check();
    await agent.shutdown();
    await agent.shutdown();
    expect(agent.ports).toEqual({ grpc: 0, http: 0 });
  });

  test("after shutdown the ports are closed and everything taken was sent", async () => {
    const { agent, link } = check();
    await agent.start();
    const { http } = agent.ports;
    const answer = await fetch(`http://127.0.0.1:${http}/v1/traces`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: jsonOf([{ id: 1 }]),
    });
    expect(answer.status).toBe(200);
    await Promise.all([agent.shutdown(), agent.shutdown()]);
    expect(link.windows().map((batch) => batch.counts.spans)).toEqual([1]);
    const refused = await new Promise((resolve) => {
      connect(http, "127.0.0.1")
        .on("error", () => resolve(true))
        .on("connect", () => resolve(false));
    });
    expect(refused).toBe(true);
  });

  test("a port that is taken stops the start, and the other one is closed again", async () => {
    const first = check();
    await first.agent.start();
    const second = check({ httpPort: first.agent.ports.http });
    await expect(second.agent.start()).rejects.toMatchObject({ code: "ADDRESS_IN_USE" });
    await second.agent.shutdown();
    await first.agent.shutdown();
  });

  test("batches name the key customers are hashed with; a file says the same as the text", async () => {
    const idOf = async (hashKey: string) => {
      const { agent, link } = check({ listen: false, hashKey: parsed({ hashKey }).hashKey });
      agent.ingest(requestOf([{ id: 1 }]));
      await agent.shutdown();
      return link.batches[0]?.hashKeyId;
    };
    const folder = mkdtempSync(join(tmpdir(), "brunt-"));
    writeFileSync(join(folder, "key"), `${secret}\n`);
    writeFileSync(join(folder, "bad"), "no key");
    const id = await idOf(secret);
    expect(id).toMatch(/^[0-9a-f]{16}$/);
    expect(secret).not.toContain(id);
    expect(await idOf(`file:${folder}/key`)).toBe(id);
    expect(await idOf(`${secret.slice(1)}0`)).not.toBe(id);
    await expect(idOf(`file:${folder}/bad`)).rejects.toMatchObject({ code: "CONFIG_INVALID" });
    await expect(idOf(`file:${folder}/none`)).rejects.toMatchObject({ code: "CONFIG_INVALID" });
    rmSync(folder, { recursive: true });
  });
});

describe("config", () => {
  test("the defaults are a complete configuration", () => {
    const { hashKey, ...config } = defaultAgentConfig();
    expect(hashKey.reveal()).toBe("");
    expect(parseAgentConfig(config)).toMatchObject({ ok: true, value: config });
  });

  test.each<[string, Record<string, unknown>, string]>([
    ["an unknown name", { keyMax: 1 }, "agent.keyMax is not known"],
    [
      "a port",
      { grpcPort: 70_000 },
      "agent.grpcPort must be a whole number from 0 to 65535, not 70000",
    ],
    [
      "too many dimensions",
      { dimensions: Array.from("abcdefghi") },
      "agent.dimensions must be a list of at most 8",
    ],
    ["a dimension twice", { dimensions: ["a", "a"] }, "agent.dimensions[1] repeats a"],
    [
      "an empty attribute name",
      { customerAttributes: [""] },
      "agent.customerAttributes[0] must be 1 to 128 bytes, not 0",
    ],
    [
      "a URL",
      { collectorUrl: "ftp://x" },
      "agent.collectorUrl must be an http://, https://, mqtt:// or mqtts:// address",
    ],
  ])("%s", (_, raw, problem) => {
    const result = parseAgentConfig(raw);
    expect(result.ok ? [] : result.error).toHaveLength(1);
    expect(result.ok ? "" : result.error[0]).toContain(problem);
  });

  test("the hash key never shows itself, not even when it is wrong", () => {
    const config = parsed({ hashKey: secret });
    expect(`${JSON.stringify(config)}${inspect(config)}${config.hashKey}`).not.toContain(secret);
    const wrong = parseAgentConfig({ hashKey: `${secret}00` });
    expect(wrong.ok).toBe(false);
    expect(JSON.stringify(wrong)).not.toContain(secret);
  });
});
