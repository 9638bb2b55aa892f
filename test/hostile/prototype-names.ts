/**
 * D6: names that mean something to every object, wherever a name can stand, against a whole
 * `brunt start` under `--disable-proto=throw`, which turns a slip into an exception.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WebSocket } from "ws";
import type { KeySummary } from "../../wire/api-types.ts";
import { spanId, traceId } from "../agent/fixture.ts";
import { portOf, startBrunt } from "../processes/brunt-process.ts";
import { until } from "../processes/wait.ts";
import { type Row, type RowDefect, rowOf } from "../scoreboard-row.ts";

const names = ["__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "then"];
const closedWithinMs = 45_000;

/** Printed when the process ends, so that a change of the prototype shows. */
const probe = `data:text/javascript,${encodeURIComponent(`
  const before = Reflect.ownKeys(Object.prototype).length;
  process.on("exit", () => {
    const after = Reflect.ownKeys(Object.prototype).length;
    process.stdout.write(after === before ? "prototype as it was\\n" : "prototype polluted\\n");
  });
`)}`;

export async function prototypeNames(): Promise<Row> {
  const folder = mkdtempSync(join(tmpdir(), "brunt-names-"));
  const brunt = startBrunt(
    [
      ...["start", "--data-dir", join(folder, "data"), "--port", "0"],
      ...["--grpc-port", "0", "--http-port", "0"],
      ...names.flatMap((name) => ["--dimension", name]),
    ],
    { nodeOptions: ["--disable-proto=throw", "--import", probe] },
  );
  const [agent, collector] = [await portOf(brunt, "httpPort"), await portOf(brunt, "port")];
  const api = `http://127.0.0.1:${collector}`;
  const inputs = [
    ...(await sendSpans(`http://127.0.0.1:${agent}`)),
    ...(await ask(api)),
    await speak(`ws://127.0.0.1:${collector}/api/v1/stream`),
  ];
  let keys: readonly KeySummary[] = [];
  await until(
    "spans under such names are keys like any other",
    async () => {
      const response = await fetch(`${api}/api/v1/keys?limit=1000`);
      keys = (await response.json()) as KeySummary[];
      return keys.length >= names.length || brunt.child.exitCode !== null;
    },
    { withinMs: closedWithinMs, everyMs: 500 },
  );
  const alive = brunt.child.exitCode === null;
  await brunt.kill("SIGTERM");
  const refused = await refusedConfigs(folder);
  rmSync(folder, { recursive: true, force: true });
  return rowOf({
    row: "D6",
    n: inputs.length + refused.length,
    value: {
      crashes: alive ? 0 : 1,
      polluted: brunt.text.includes("prototype as it was") ? 0 : 1,
      notOrdinary: names.filter((name) => !isOrdinary(keys, name)).length,
      unanswered: inputs.filter((status) => status === undefined).length,
      configsTaken: refused.filter((code) => code !== 78).length,
    },
    limit: { crashes: 0, polluted: 0, notOrdinary: 0, unanswered: 0, configsTaken: 0 },
  });
}

/** Its service, operation, and value of the dimension of its own name. */
function isOrdinary(keys: readonly KeySummary[], name: string): boolean {
  return keys.some(({ key, count }) => {
    const isNamed = (dimension: string): boolean =>
      key.some((at) => at.dimension === dimension && at.value === name);
    return ["service.name", "operation", name].every(isNamed) && count === 2;
  });
}

type Answer = number | undefined;

/** Two spans for each name: in JSON with the name as a field nobody knows, too. */
async function sendSpans(agent: string): Promise<Answer[]> {
  const answers: Answer[] = [];
  const endNs = `${Date.now()}000000`;
  for (const [index, name] of names.entries()) {
    for (const copy of [0, 1]) {
      const id = 1 + index * 2 + copy;
      const span = {
        traceId: traceId(id),
        spanId: spanId(id),
        name,
        kind: 2,
        startTimeUnixNano: endNs,
        endTimeUnixNano: endNs,
        attributes: [attribute("customer.id", name), attribute(name, name)],
        traceState: name,
      };
      const resource = { attributes: [attribute("service.name", name)] };
      const request = { resourceSpans: [{ resource, scopeSpans: [{ spans: [span] }] }] };
      const body = `${JSON.stringify(request).slice(0, -1)},"${name}":{"polluted":true}}`;
      const headers = { "content-type": "application/json", "x-brunt": name };
      answers.push(await statusOf(`${agent}/v1/traces`, { method: "POST", headers, body }));
    }
  }
  return answers;
}

function attribute(key: string, stringValue: string) {
  return { key, value: { stringValue } };
}

async function ask(api: string): Promise<Answer[]> {
  const answers: Answer[] = [];
  for (const name of names) {
    for (const path of [
      `/api/v1/keys?service=${name}`,
      `/api/v1/keys?${name}=1`,
      `/api/v1/incidents/${name}`,
      `/api/v1/${name}`,
      `/${name}`,
    ]) {
      answers.push(await statusOf(`${api}${path}`, { headers: { "x-name": name } }));
    }
    answers.push(await statusOf(`${api}/api/v1/stream/tickets?${name}=1`, { method: "POST" }));
  }
  return answers;
}

async function statusOf(url: string, init: RequestInit): Promise<Answer> {
  try {
    const response = await fetch(url, init);
    await response.text();
    return response.status;
  } catch {
    return undefined;
  }
}

/** The stream takes no messages; it closes, whatever they hold. */
function speak(url: string): Promise<Answer> {
  return new Promise((resolve) => {
    const socket = new WebSocket(url);
    socket.once("open", () => socket.send('{"__proto__":{"polluted":true},"then":1}'));
    socket.once("close", (code) => resolve(code === 1008 ? 101 : undefined));
    socket.once("error", () => resolve(undefined));
  });
}

/** Configurations with such a field are refused like those with any unknown field. */
async function refusedConfigs(folder: string): Promise<(number | undefined)[]> {
  const codes: (number | undefined)[] = [];
  for (const name of names) {
    for (const text of [`{"${name}":{}}`, `{"agent":{"${name}":1}}`]) {
      const path = join(folder, "config.json");
      writeFileSync(path, text);
      const brunt = startBrunt(["start", "--data-dir", join(folder, "d"), "--config", path]);
      codes.push(await brunt.ended);
    }
  }
  return codes;
}

export const prototypeNamesDefects: readonly RowDefect[] = [
  {
    name: "what a header holds lands on the prototype of everything",
    caughtBy: "polluted",
    patches: [
      {
        file: "agent/receivers/http.js",
        find: 'const path = (request.url ?? "")',
        replace: `Object.prototype.polluted = request.headers["x-brunt"];
        const path = (request.url ?? "")`,
      },
    ],
  },
];
