/**
 * Who knows every input. It sends spans to agents, notes which were taken, and compares with what
 * the collector has in the end, window by window: the product never judges itself.
 *
 * A span is *taken* when its request was answered 200, *unsure* when the connection broke before an
 * answer: then it may count once or not at all.
 */
import { Agent as HttpAgent, request } from "node:http";
import { fixtureStartMs, requestOf } from "../agent/fixture.ts";
import { pause } from "../processes/wait.ts";

export const windowMs = 10_000;

export interface Tally {
  taken: number;
  unsure: number;
}

export interface Window {
  /** The agent the spans went to; also their service. */
  readonly agent: string;
  readonly startMs: number;
}

export interface Sent extends Window, Readonly<Tally> {}

export interface SenderOptions {
  readonly agent: string;
  /** Where it listens now. */
  readonly port: () => number;
  readonly spansPerRequest: number;
  readonly everyMs: number;
  /** Keys the spans are of, each some tens of bytes of a record; one by default. */
  readonly operations?: number;
  /** How wrong the clock of the application's machine is. */
  readonly offsetMs?: () => number;
}

export interface Sender {
  /** Everything sent so far, by window. */
  readonly sent: readonly Sent[];
  /** Answers that were neither 200 nor a broken connection, by status. */
  readonly refused: ReadonlyMap<number, number>;
  stop(): Promise<void>;
}

/** Sends until stopped. The times of the spans are the moment they are sent. */
export function startSender(options: SenderOptions): Sender {
  const { agent, port, spansPerRequest, everyMs, operations, offsetMs = () => 0 } = options;
  const tallies = new Map<number, Tally>();
  const refused = new Map<number, number>();
  const http = new HttpAgent({ keepAlive: true, maxSockets: 1 });
  let isOpen = true;
  let id = 1;
  const sendOne = async (): Promise<void> => {
    const nowMs = Date.now() + offsetMs();
    const count = spansPerRequest;
    const body = requestFor({ agent, nowMs, count, firstId: id, operations });
    id += spansPerRequest;
    const status = await post({ http, port: port(), body });
    const startMs = Math.floor(nowMs / windowMs) * windowMs;
    const tally = tallies.get(startMs) ?? { taken: 0, unsure: 0 };
    if (status === 200) tally.taken += spansPerRequest;
    else if (status === "broken") tally.unsure += spansPerRequest;
    else if (status !== "refused") refused.set(status, (refused.get(status) ?? 0) + 1);
    tallies.set(startMs, tally);
  };
  const run = async (): Promise<void> => {
    while (isOpen) {
      const next = new Promise((resolve) => setTimeout(resolve, everyMs));
      await sendOne();
      await next;
    }
    http.destroy();
  };
  const running = run();
  return {
    get sent() {
      return [...tallies].map(([startMs, tally]) => ({ agent, startMs, ...tally }));
    },
    refused,
    async stop() {
      isOpen = false;
      await running;
    },
  };
}

/** `count` spans of this agent's service, numbered from `firstId`, that end now. */
export function requestFor(about: {
  readonly agent: string;
  readonly nowMs: number;
  readonly count: number;
  readonly firstId: number;
  readonly operations?: number | undefined;
}): Uint8Array {
  const { agent, nowMs, count, firstId, operations = 1 } = about;
  const at = nowMs - fixtureStartMs;
  return requestOf(
    Array.from({ length: count }, (_, index) => ({
      service: agent,
      name: operationOf((firstId + index) % operations),
      kind: "server" as const,
      trace: firstId + index,
      id: firstId + index,
      from: at - 5,
      to: at,
      attributes: { "customer.id": `customer-${(firstId + index) % 50}` },
    })),
  );
}

/** Letters, as digits are taken for identifiers. */
function operationOf(number: number): string {
  const letter = (of: number): string => "abcdefghijklmnopqrstuvwxyz"[of % 26] as string;
  return `work ${letter(number)}${letter(Math.floor(number / 26))}`;
}

/** `refused`: nobody listened, so nothing was taken; `broken`: nobody knows. */
type Outcome = number | "refused" | "broken";

export function post(about: {
  readonly http: HttpAgent;
  readonly port: number;
  readonly body: Uint8Array;
}): Promise<Outcome> {
  const { http, port, body } = about;
  return new Promise((resolve) => {
    const outgoing = request({
      ...{ agent: http, host: "127.0.0.1", port, path: "/v1/traces", method: "POST" },
      headers: { "content-type": "application/x-protobuf", "content-length": body.length },
      timeout: 10_000,
    });
    outgoing.once("timeout", () => outgoing.destroy());
    outgoing.once("error", (error: NodeJS.ErrnoException) => {
      resolve(error.code === "ECONNREFUSED" ? "refused" : "broken");
    });
    outgoing.once("response", (response) => {
      response.resume();
      response.once("close", () => resolve(response.statusCode ?? 0));
    });
    outgoing.end(body);
  });
}

/** What an agent may lose without a word of spans: the windows it had open when it was killed. */
export interface Excuse {
  readonly agent: string;
  readonly fromMs: number;
  readonly toMs: number;
  /** Spans it had taken by then, by window: what came after the start is no excuse. */
  readonly takenBefore: ReadonlyMap<number, number>;
}

export interface Verdict {
  readonly taken: number;
  readonly counted: number;
  /** Spans counted more often than they were sent. */
  readonly overCount: number;
  /** Spans taken that are neither counted nor excused. */
  readonly undeclaredLoss: number;
  /** Spans taken and not counted, in windows that were open when their agent was killed. */
  readonly excusedLoss: number;
}

const patienceMsMax = 15_000;
const againMs = 250;

/** Compares window by window; `counted` is what the collector has of one. */
export async function judge(
  sent: readonly Sent[],
  excuses: readonly Excuse[],
  counted: (window: Window) => Promise<number>,
): Promise<Verdict> {
  const sums = { taken: 0, counted: 0, overCount: 0, undeclaredLoss: 0, excusedLoss: 0 };
  let patienceMs = patienceMsMax;
  for (const { taken, unsure, ...window } of sent) {
    const open = excuses.filter((excuse) => covers(excuse, window));
    const before = open.map(({ takenBefore }) => takenBefore.get(window.startMs) ?? 0);
    const excusable = Math.max(0, ...before);
    let have = await counted(window);
    for (; patienceMs > 0 && have < taken - excusable; patienceMs -= againMs) {
      // What came late to a closed window is in its next revision.
      await pause(againMs);
      have = await counted(window);
    }
    const lost = Math.max(0, taken - have);
    sums.taken += taken;
    sums.counted += have;
    sums.overCount += Math.max(0, have - taken - unsure);
    sums.excusedLoss += Math.min(lost, excusable);
    sums.undeclaredLoss += Math.max(0, lost - excusable);
  }
  return sums;
}

function covers({ agent, fromMs, toMs }: Excuse, window: Window): boolean {
  return agent === window.agent && window.startMs < toMs && window.startMs + windowMs > fromMs;
}
