/**
 * D4: keys chosen to meet in one place of a table, or in V8's own hash of strings that read as
 * integers. Each family is 2^17 spans or members, against as many of the same sizes drawn at
 * random; the measure is processor time, the least of a few turns each.
 */
import { createAgent } from "../../agent/agent.ts";
import { defaultAgentConfig } from "../../agent/config.ts";
import { createVirtualClock } from "../../base/clock.ts";
import { silentLog } from "../../base/log.ts";
import { createMeter } from "../../base/meter.ts";
import { createPrng, type Prng } from "../../base/prng.ts";
import { createAcknowledger } from "../../bench/acknowledge.ts";
import { attribute, integerField, textField } from "../../bench/traffic/fields.ts";
import { createTemplate, type SpanPlan } from "../../bench/traffic/otlp-template.ts";
import { nodeDisk } from "../../cli/node-disk.ts";
import { transcodeOtlpJson } from "../../wire/otlp-json.ts";
import { type Row, type RowDefect, rowOf } from "../scoreboard-row.ts";

const count = 2 ** 17;
const perRequest = 1_024;
const turns = 2;
/** A ratio beyond its limit is measured on: a busy machine is slow at times, an attack always. */
const turnsMax = 10;
const ratioMax = 2;
const startMs = 1_800_000_000_000;

interface SpanKey {
  readonly id: readonly [number, number];
  readonly route: string;
  readonly customer: string;
}

/** What an attacker sends, and what it is held against. */
interface Family {
  readonly name: string;
  readonly attack: (at: number, prng: Prng) => Partial<SpanKey>;
  readonly random: (at: number, prng: Prng) => Partial<SpanKey>;
}

const letters = "abcdefghijklmnopqrstuvwxyz0123456789";

function word(prng: Prng, size: number): string {
  let text = "";
  for (let at = 0; at < size; at++) text += letters[prng.integer(letters.length)];
  return text;
}

/** As many distinct routes as fit the agent's tables, so that a table that works remembers them. */
const routeCount = 512;
const randomRoutes = routesOf((prng) => `/${word(prng, 40)}`);
const alikeRoutes = routesOf((prng) => `/${"a".repeat(16)}${word(prng, 8)}${"z".repeat(16)}`);
/** Apart at the start alone, so a hash of the middle and the end takes them for one. */
const startingRoutes = routesOf((prng) => `/${word(prng, 8)}${"m".repeat(32)}`);
const anagramRoutes = routesOf(
  (prng) => `/${shuffled("abcdefghijklmnopqrstuvwxyz01234567890123", prng)}`,
);

const families: readonly Family[] = [
  {
    name: "integer-like customers",
    attack: (at) => ({ customer: String(at) }),
    random: (at, prng) => ({ customer: word(prng, String(at).length) }),
  },
  {
    name: "integer-like routes",
    attack: (at) => ({ route: String(at) }),
    random: (at, prng) => ({ route: word(prng, String(at).length) }),
  },
  {
    name: "ids in a row",
    attack: (at) => ({ id: [1, at + 1] }),
    random: () => ({}),
  },
  {
    name: "ids strided by 2^16",
    attack: (at) => ({ id: [(at >>> 16) + 1, (at << 16) >>> 0] }),
    random: () => ({}),
  },
  {
    name: "ids of one low word",
    attack: (at) => ({ id: [at + 1, 7] }),
    random: () => ({}),
  },
  {
    name: "ids of which one word undoes the other",
    attack: (at) => ({ id: [at + 1, Math.imul(-(at + 1), 0x9e3779b1) >>> 0] }),
    random: () => ({}),
  },
  {
    name: "routes with alike ends",
    attack: (at) => ({ route: alikeRoutes[at % routeCount] as string }),
    random: (at) => ({ route: randomRoutes[at % routeCount] as string }),
  },
  {
    // Whoever can make shapes meet can as well send new ones, so that is what it is held against.
    name: "routes apart at their start alone, beside new ones",
    attack: (at) => ({ route: startingRoutes[at % routeCount] as string }),
    random: (_, prng) => ({ route: `/${word(prng, 40)}` }),
  },
  {
    name: "routes that are anagrams",
    attack: (at) => ({ route: anagramRoutes[at % routeCount] as string }),
    random: (at) => ({ route: randomRoutes[at % routeCount] as string }),
  },
];

export async function hashFlooding(): Promise<Row> {
  const value: Record<string, number> = {};
  for (const family of families) value[family.name] = round(await spanRatio(family));
  value["JSON of integer-like names"] = round(jsonRatio());
  const limit = Object.fromEntries(Object.keys(value).map((name) => [name, ratioMax]));
  return rowOf({ row: "D4", n: count * Object.keys(value).length, value, limit });
}

/** How many times as long the attack takes. */
async function spanRatio({ attack, random }: Family): Promise<number> {
  const least = { attack: Number.POSITIVE_INFINITY, random: Number.POSITIVE_INFINITY };
  const requests = { attack: requestsOf(attack), random: requestsOf(random) };
  const isUnsure = (): boolean => least.attack / least.random > ratioMax;
  for (let turn = 0; turn < turns || (turn < turnsMax && isUnsure()); turn++) {
    for (const side of ["random", "attack"] as const) {
      least[side] = Math.min(least[side], await cpuMsOf(requests[side]));
    }
  }
  return least.attack / least.random;
}

function requestsOf(keyOf: Family["attack"]): Uint8Array[] {
  const prng = createPrng(3);
  const requests: Uint8Array[] = [];
  for (let first = 0; first < count; first += perRequest) {
    const spans = Array.from({ length: perRequest }, (_, at) =>
      spanOf({ ...plainKey(prng), ...keyOf(first + at, prng) }),
    );
    const resource = attribute(1, "service.name", "shop");
    const template = createTemplate([{ resource, scope: textField(1, "test"), spans }]);
    template.stamp(0, startMs);
    requests.push(template.bytes);
  }
  return requests;
}

function plainKey(prng: Prng): SpanKey {
  return {
    id: [1 + prng.integer(2 ** 32 - 1), 1 + prng.integer(2 ** 32 - 1)],
    route: "/cart",
    customer: "somebody",
  };
}

function spanOf({ id, route, customer }: SpanKey): SpanPlan {
  return {
    trace: [1, 2, 3, 4],
    id,
    parent: [0, 0],
    startNs: 0,
    endNs: 1_000_000,
    fields: [
      textField(5, "GET"),
      integerField(6, 2),
      attribute(9, "http.request.method", "GET"),
      attribute(9, "http.route", route),
      attribute(9, "customer.id", customer),
    ],
  };
}

/** Processor time of an agent that takes and seals these. */
async function cpuMsOf(requests: readonly Uint8Array[]): Promise<number> {
  const clock = createVirtualClock(startMs);
  const prng = createPrng(77);
  const acknowledge = createAcknowledger();
  const agent = createAgent(
    { ...defaultAgentConfig(), listen: false },
    {
      clock,
      log: silentLog,
      meter: createMeter(),
      disk: nodeDisk,
      randomBytes: (size) => Uint8Array.from({ length: size }, () => prng.integer(256)),
      link: {
        send: async (batch) => acknowledge(batch, clock.nowMs()),
        thresholds: async () => ({ revision: 0, items: [] }),
      },
    },
  );
  await agent.start();
  const before = process.cpuUsage();
  for (const request of requests) {
    const result = agent.ingest(request);
    if (!result.ok || result.value.rejected > 0) throw new Error("the agent takes not all spans");
  }
  await agent.shutdown();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e3;
}

/** Two megabytes of OTLP/JSON with 2^17 members in an object, where V8 hashes the names. */
function jsonRatio(): number {
  const prng = createPrng(4);
  const attack = jsonOf((at) => String(at));
  const random = jsonOf((at) => word(prng, String(at).length));
  let [attackMs, randomMs] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let turn = 0; turn < turns; turn++) {
    randomMs = Math.min(randomMs, transcodeMs(random));
    attackMs = Math.min(attackMs, transcodeMs(attack));
  }
  return attackMs / randomMs;
}

function jsonOf(name: (at: number) => string): Uint8Array {
  const members = Array.from({ length: count }, (_, at) => `"${name(at)}":1234567`);
  return new TextEncoder().encode(`{"resourceSpans":[{"resource":{${members.join(",")}}}]}`);
}

function transcodeMs(json: Uint8Array): number {
  const before = process.cpuUsage();
  if (!transcodeOtlpJson(json).ok) throw new Error("the JSON is refused");
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e3;
}

function routesOf(make: (prng: Prng) => string): string[] {
  const prng = createPrng(5);
  return Array.from({ length: routeCount }, () => make(prng));
}

function shuffled(text: string, prng: Prng): string {
  const rest = [...text];
  let out = "";
  while (rest.length > 0) out += rest.splice(prng.integer(rest.length), 1)[0];
  return out;
}

function round(ratio: number): number {
  return Number(ratio.toFixed(2));
}

export const hashFloodingDefects: readonly RowDefect[] = [
  {
    name: "a shape's place comes from the ends of its values alone",
    caughtBy: "routes with alike ends",
    patches: [
      {
        file: "agent/reduce/selection.js",
        find: "turned(hash) + Math.imul(view.getInt32(pos, true), mixing)",
        replace:
          "turned(hash) + (pos - start < 12 || end - pos < 16 ? view.getInt32(pos, true) : 0)",
      },
    ],
  },
];
