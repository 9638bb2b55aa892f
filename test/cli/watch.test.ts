import { afterEach, describe, expect, test, vi } from "vitest";
import { commands } from "../../cli/commands.ts";
import { runCli } from "../../cli/line/run-cli.ts";
import { createIncidentPrinter } from "../../cli/terminal/incident-printer.ts";
import type { Incident, StreamMessage } from "../../wire/api-types.ts";
import { type LiveBrunt, startLiveBrunt } from "./live-brunt.ts";
import { createMemorySystem, createMemoryTerminal, type MemorySystem } from "./memory-system.ts";
import { detail, incident } from "./sample-incident.ts";

describe("what is printed", () => {
  /** The lines that begin a block or stand alone. */
  async function check(messages: readonly StreamMessage[]): Promise<string[]> {
    const terminal = createMemoryTerminal();
    const printer = createIncidentPrinter({
      terminal,
      nowMs: () => 0,
      hopsOf: async () => detail.graph.hops,
    });
    for (const message of messages) printer.print(message);
    await printer.drain();
    return terminal
      .text()
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("  "));
  }

  const hello = (epoch: string, incidents: readonly Incident[] = []): StreamMessage => ({
    type: "hello",
    epoch,
    nextSeq: 1,
    incidents,
  });
  const event = (
    type: "opened" | "updated" | "resolved",
    change: Partial<Incident> = {},
  ): StreamMessage => ({
    type: `incident.${type}`,
    seq: 1,
    atMs: 0,
    incident: { ...incident, ...change },
  });
  const title = incident.title;
  const numbers = "12:05:10Z  inc-7  118 (115 to 121) customers, 312 of 4,021 failed";
  const moved = { title: "other numbers", score: 9 };

  test.each<[string, readonly StreamMessage[], readonly string[]]>([
    ["nothing firing", [hello("a")], ["connected, 0 incidents firing"]],
    [
      "one firing already",
      [hello("a", [incident])],
      ["connected, 1 incident firing", `● firing  ${title}`],
    ],
    [
      "an incident from its opening to its end",
      [event("opened"), event("updated", moved), event("resolved", { status: "resolved" })],
      [`● opened  ${title}`, numbers, `✓ resolved  ${title}`],
    ],
    [
      "a story that changes",
      [event("opened"), event("updated", { combinations: [] })],
      [`● opened  ${title}`, `● updated  ${title}`],
    ],
    [
      "one that does not page",
      [event("opened", { page: false, gate: "1 customer" })],
      [`○ opened  ${title}`],
    ],
    [
      "an incident that opens again",
      [event("opened"), event("resolved", { status: "resolved" }), event("opened")],
      [`● opened  ${title}`, `✓ resolved  ${title}`, `● opened  ${title}`],
    ],
    [
      "coming back",
      [hello("a"), hello("a", [incident])],
      ["connected, 0 incidents firing", "connected again"],
    ],
    [
      "a collector that numbers anew",
      [hello("a"), hello("b")],
      [
        "connected, 0 incidents firing",
        "the collector numbers its events anew; connected, 0 incidents firing",
      ],
    ],
    [
      "a gap",
      [{ type: "gap", fromSeq: 12, toSeq: 40 }],
      ["gap: 29 events (12 to 40) are no longer kept and were not seen here"],
    ],
    [
      "a gap of unknown size",
      [{ type: "gap", fromSeq: 0, toSeq: 0 }],
      ["gap: what followed the last event seen here is gone"],
    ],
  ])("%s", async (_, messages, lines) => {
    expect(await check(messages)).toEqual(lines);
  });
});

describe("against a real collector", () => {
  let live: LiveBrunt | undefined;
  let system: MemorySystem | undefined;
  let running: Promise<number> | undefined;

  afterEach(async () => {
    system?.interrupt();
    await running;
    await live?.shutdown();
    live = undefined;
  });

  function watch(line: string): MemorySystem {
    system = createMemorySystem();
    running = runCli(["watch", ...line.split(" ")], { commands, version: "0" }, system);
    return system;
  }

  function messages(): StreamMessage[] {
    const lines = (system?.out() ?? "").split("\n").filter(Boolean);
    return lines.map((line) => JSON.parse(line) as StreamMessage);
  }

  function seqs(): number[] {
    return messages().flatMap((message) => ("seq" in message ? [message.seq] : []));
  }

  test("each event once and in order, through a restart", async () => {
    live = await startLiveBrunt();
    watch(`--json --url ${live.url}`);
    await vi.waitFor(() => expect(messages()[0]?.type).toBe("hello"));
    await live.window();
    await live.window();
    await vi.waitFor(() => expect(seqs().length).toBeGreaterThanOrEqual(2));
    const hellos = () => messages().filter(({ type }) => type === "hello").length;
    await live.restart();
    const before = seqs().length;
    // These pass while nobody is connected.
    await live.window();
    await live.window();
    await vi.waitFor(() => expect(hellos()).toBe(2), 10_000);
    await vi.waitFor(() => expect(seqs().length).toBeGreaterThanOrEqual(before + 2));
    expect(seqs()).toEqual(seqs().map((_, index) => index + 1));
    expect(messages().filter(({ type }) => type === "gap")).toEqual([]);
    expect(system?.err()).toContain("connection lost");
    system?.interrupt();
    expect(await running).toBe(0);
  });

  test("--since 0 tells everything still kept", async () => {
    live = await startLiveBrunt();
    await live.window();
    watch(`--json --since 0 --url ${live.url}`);
    await vi.waitFor(() => expect(seqs()[0]).toBe(1));
  });

  test("a number the collector never gave is a gap", async () => {
    live = await startLiveBrunt();
    await live.window();
    watch(`--since 999999 --url ${live.url}`);
    await vi.waitFor(() => expect(system?.out()).toContain("gap: "));
  });

  test("waits for a collector that is not there yet", async () => {
    watch("--url http://127.0.0.1:9");
    await vi.waitFor(() => expect(system?.out()).toContain("no collector yet (ECONNREFUSED)"));
    system?.interrupt();
    expect(await running).toBe(0);
  });
});

describe("why", () => {
  async function why(url: string, line: string) {
    const memory = createMemorySystem({ BRUNT_URL: url });
    const argv = ["why", ...line.split(" ")];
    const code = await runCli(argv, { commands, version: "0" }, memory);
    return { code, out: memory.out(), err: memory.err() };
  }

  test("a service no incident touches, its neighbours, and names that are none", async () => {
    const live = await startLiveBrunt();
    try {
      await live.window();
      const known = await why(live.url, "api");
      expect(known).toMatchObject({ code: 0, err: "" });
      expect(known.out).toMatch(/^api\n/);
      expect(known.out).toMatch(/called by\n +web /);
      expect(known.out).toMatch(/no incident touches it\n$/);
      expect((await why(live.url, "ap")).err).toContain(
        'no incident or service "ap"; did you mean api?',
      );
      expect((await why(live.url, "elsewhere")).err).toContain("known services: api, web");
      expect((await why(live.url, "../graph")).code).toBe(1);
      const graph = JSON.parse((await why(live.url, "web --json")).out);
      expect(graph.edges).toMatchObject([{ caller: "web", callee: "api" }]);
    } finally {
      await live.shutdown();
    }
  });
});
