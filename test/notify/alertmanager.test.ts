/** A real Alertmanager; without one it says so and skips. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { createPrng } from "../../base/prng.ts";
import { systemClock } from "../../cli/system.ts";
import { alertOf, labelsOf } from "../../collector/notify/alert-text.ts";
import { createAlertmanager } from "../../collector/notify/alertmanager.ts";
import { createHttpPost } from "../../collector/notify/http-post.ts";
import type { LabelledAlert } from "../../collector/notify/notifier.ts";
import type { AlertState } from "../../wire/alerts.ts";
import type { Incident } from "../../wire/api-types.ts";
import { temporaryDirectory } from "../collector/temporary.ts";
import { until } from "../processes/wait.ts";
import { incidentOf } from "./incidents.ts";
import { type Sink, startSink } from "./sink.ts";

const program = "/usr/bin/prometheus-alertmanager";
const children: ChildProcess[] = [];
const sinks: Sink[] = [];

if (!existsSync(program)) {
  process.stderr.write(`· no ${program} here: tests against a real Alertmanager are skipped\n`);
}

afterEach(async () => {
  for (const child of children.splice(0)) {
    child.kill("SIGKILL");
    await once(child, "close");
  }
  for (const sink of sinks.splice(0)) await sink.close();
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** One that tells `sink` at once, served below a path. */
async function startAlertmanager(sink: Sink): Promise<string> {
  const directory = temporaryDirectory();
  const config = {
    route: {
      ...{ receiver: "sink", group_by: ["incident"], group_wait: "1ms" },
      ...{ group_interval: "1s", repeat_interval: "1h" },
    },
    receivers: [{ name: "sink", webhook_configs: [{ url: sink.url, send_resolved: true }] }],
  };
  const path = join(directory, "alertmanager.yml");
  writeFileSync(path, JSON.stringify(config));
  const address = `127.0.0.1:${await freePort()}`;
  const child = spawn(program, [
    `--config.file=${path}`,
    `--storage.path=${join(directory, "data")}`,
    `--web.listen-address=${address}`,
    "--web.route-prefix=/alerts",
    "--cluster.listen-address=",
  ]);
  children.push(child);
  let log = "";
  child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
    log += chunk;
  });
  const url = `http://${address}/alerts`;
  const isReady = async (): Promise<boolean> => {
    if (child.exitCode !== null) throw new Error(`alertmanager ended: ${log}`);
    return (await fetch(`${url}/-/ready`).catch(() => undefined))?.ok === true;
  };
  await until("alertmanager is ready", isReady, { withinMs: 20_000, everyMs: 50 });
  return url;
}

/** What Alertmanager tells its receiver. */
interface Notification {
  readonly status: string;
  readonly alerts: readonly {
    readonly status: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations: Readonly<Record<string, string>>;
  }[];
}

function messageOf(incidents: readonly Incident[], state: AlertState) {
  const alerts: LabelledAlert[] = incidents.map((incident) => ({
    alert: alertOf(incident, state, 1),
    labels: labelsOf(incident),
  }));
  return { key: "a message", alerts };
}

describe.skipIf(!existsSync(program))("Alertmanager", () => {
  test("takes what fires and what is resolved, and tells its receiver", async () => {
    const sink = await startSink();
    sinks.push(sink);
    const url = await startAlertmanager(sink);
    const notifier = createAlertmanager({
      ...{ name: "alertmanager-1", url: `${url}/`, clock: systemClock },
      post: createHttpPost({ clock: systemClock }),
    });
    const send = (incidents: readonly Incident[], state: AlertState) =>
      notifier.send(messageOf(incidents, state), new AbortController().signal);

    const startedAtMs = Date.now() - 60_000;
    const odd = `"quoted" \\ ünïcode 💥 {a="b"}`;
    const incidents = [
      { ...incidentOf({ id: "inc_1" }), startedAtMs, resolvedAtMs: null },
      { ...incidentOf({ id: "inc_2", cause: odd, customers: null }), startedAtMs },
      { ...incidentOf({ id: "inc_3", kind: "none", cause: "", entries: [] }), startedAtMs },
    ];
    expect(await send(incidents, "firing")).toEqual({ kind: "delivered" });

    const there = (await (await fetch(`${url}/api/v2/alerts`)).json()) as Notification["alerts"];
    const byIncident = new Map(there.map((alert) => [alert.labels.incident, alert]));
    expect([...byIncident.keys()].sort()).toEqual(["inc_1", "inc_2", "inc_3"]);
    expect(byIncident.get("inc_1")).toMatchObject({
      labels: { alertname: "BruntIncident", signal: "errors", service: "payments" },
      annotations: {
        summary: "20 customers: payments fails",
        cause: "payments (likely)",
        customers: "20",
        where: "cloud.region=eu",
        entries: "web GET /: 50 of 100 bad",
        idempotency_key: "inc_1:firing:1",
      },
    });
    expect(byIncident.get("inc_2")?.labels.service).toBe(odd);
    expect(byIncident.get("inc_2")?.annotations).not.toHaveProperty("customers");
    expect(byIncident.get("inc_3")?.annotations.cause).toBe("inconclusive");

    const told = (status: string): readonly string[] =>
      (sink.bodies as Notification[])
        .flatMap(({ alerts }) => alerts)
        .filter((alert) => alert.status === status)
        .map(({ labels }) => labels.incident ?? "");
    const limits = { withinMs: 20_000, everyMs: 50 };
    await until("the receiver hears of all", () => told("firing").length >= 3, limits);
    const over = incidents.slice(0, 1).map((incident) => ({
      ...{ ...incident, status: "resolved" as const, resolvedAtMs: Date.now() - 1_000 },
    }));
    expect(await send(over, "resolved")).toEqual({ kind: "delivered" });
    await until("the receiver hears of the end", () => told("resolved").length > 0, limits);
    expect(new Set(told("resolved"))).toEqual(new Set(["inc_1"]));
  });

  test("takes 1,000 alerts in one message, of any content", async () => {
    const sink = await startSink();
    sinks.push(sink);
    const url = await startAlertmanager(sink);
    const notifier = createAlertmanager({
      ...{ name: "alertmanager-1", url, clock: systemClock },
      post: createHttpPost({ clock: systemClock }),
    });
    const prng = createPrng(7);
    const anything = (): string =>
      Array.from({ length: prng.integer(600) }, () =>
        String.fromCharCode(prng.pick([prng.integer(128), prng.integer(65_536)])),
      ).join("");
    const incidents = Array.from({ length: 1_000 }, (_, index) => ({
      ...incidentOf({
        ...{ id: `inc_${index}`, cause: anything(), entries: [`${anything()} x`] },
        combinations: [`a=${anything()}`],
      }),
      startedAtMs: Date.now() + prng.integer(7_200_000) - 3_600_000,
    }));
    const outcome = await notifier.send(
      messageOf(incidents, "firing"),
      new AbortController().signal,
    );
    expect(outcome).toEqual({ kind: "delivered" });
  });
});
