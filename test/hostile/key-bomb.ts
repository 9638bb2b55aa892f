/**
 * The attacker of D3 as a program: `key-bomb <port> <keys> <seconds>` sends spans of one service, no
 * two of one key, and prints how many were taken and how many of those had failed.
 */
import { Agent as HttpAgent } from "node:http";
import { fixtureStartMs, requestOf, type SpanLiteral } from "../agent/fixture.ts";
import { post } from "../chaos/oracle.ts";
import { pause } from "../processes/wait.ts";

const spansPerRequest = 500;
/** One failed span in a hundred. */
const failedEvery = 100;
/** Fewer than an agent tells apart, so that it is the combinations that are many. */
const operations = 100;

const [port, keys, seconds] = process.argv.slice(2).map(Number) as [number, number, number];
const taken = { spans: 0, errors: 0 };
const http = new HttpAgent({ keepAlive: true, maxSockets: 1 });
const requests = Math.ceil(keys / spansPerRequest);
const startMs = performance.now();
for (let number = 0; number < requests; number++) {
  const first = number * spansPerRequest;
  const spans = Array.from({ length: spansPerRequest }, (_, at) => spanOf(first + at));
  if ((await post({ http, port, body: requestOf(spans) })) === 200) {
    taken.spans += spansPerRequest;
    taken.errors += spansPerRequest / failedEvery;
  }
  const dueMs = startMs + ((number + 1) / requests) * seconds * 1_000;
  await pause(Math.max(0, dueMs - performance.now()));
}
http.destroy();
process.stdout.write(`taken ${JSON.stringify(taken)}\n`);

/** Every other one has a name of its own, the others a version of their own. */
function spanOf(number: number): SpanLiteral {
  const at = Date.now() - fixtureStartMs;
  const isNamed = number % 2 === 0;
  const own = Math.floor(number / operations);
  return {
    ...{ service: "bomb", kind: "server", trace: number + 1, id: number + 1 },
    ...{ from: at - 5, to: at },
    name: `do ${wordOf(isNamed ? number : number % operations)}`,
    resource: { "service.version": isNamed ? "1" : `1.${own}` },
    status: number % failedEvery === 0 ? "error" : "unset",
    attributes: { "customer.id": `customer-${number}` },
  };
}

/** A word for a number: numbers in names are taken out. */
function wordOf(number: number): string {
  return [...String(number)].map((digit) => "abcdefghij"[Number(digit)]).join("");
}
