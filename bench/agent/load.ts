/**
 * A process that sends OTLP to an agent, so that making and sending costs the agent nothing. It
 * prepares a job, says "ready", sends on "go", and answers with what it sent.
 */
import { gzipSync } from "node:zlib";
import type { Template } from "../traffic/otlp-template.ts";
import { createTraffic } from "../traffic/traffic.ts";
import { type Connection, openConnections, type Protocol } from "./connection.ts";

export interface Job {
  readonly protocol: Protocol;
  readonly port: number;
  readonly gzip: boolean;
  /** Spans of a request. */
  readonly batch: number;
  readonly requests: number;
  /** Spans a second; absent means as fast as it goes. */
  readonly rate?: number;
  /** Spans of as many keys, each route once, in place of the shop's traffic. */
  readonly keys?: number;
  /** When the spans start, in ms from now; windows ahead are not sealed meanwhile. */
  readonly aheadMs?: number;
}

export interface Sent {
  readonly requests: number;
  readonly bytes: number;
  readonly seconds: number;
}

type Message = { readonly job: Job } | "go";
/** Starts and ends of the shop's spans lie within about so long. */
const spanMs = 1_500;
/** Requests in flight at a time; of large ones two keep the agent busy. */
const inFlight = { usual: 8, large: 2 };
const largeBatch = 4_096;
const templatesPerConnection = 2;
/** By batch size: making them takes longer than sending them. */
const templates = new Map<number, readonly Template[]>();

let prepared: Prepared | undefined;
let salt = 1;

interface Prepared {
  readonly job: Job;
  readonly connections: readonly Connection[];
  /** The body of a request; a template is in use until its request is answered. */
  body(request: number, connection: number): Uint8Array;
}

process.on("message", (message: Message) => {
  void (message === "go" ? go() : prepare(message.job));
});

async function prepare(job: Job): Promise<void> {
  const connections = await openConnections({ ...job, count: inFlightOf(job) });
  prepared = { job, connections, body: bodiesOf(job) };
  process.send?.("ready");
}

async function go(): Promise<void> {
  if (prepared === undefined) throw new Error("there is no job");
  const { connections } = prepared;
  const sent = await sendAll(prepared);
  for (const connection of connections) connection.close();
  prepared = undefined;
  process.send?.(sent);
}

async function sendAll({ job, connections, body }: Prepared): Promise<Sent> {
  const startMs = performance.now();
  let next = 0;
  let bytes = 0;
  const work = async (connection: Connection, index: number): Promise<void> => {
    while (next < job.requests) {
      const request = next++;
      if (job.rate !== undefined) {
        await until(startMs + (request * job.batch * 1_000) / job.rate);
      }
      const content = body(request, index);
      bytes += content.length;
      await connection.send(content);
    }
  };
  await Promise.all(connections.map(work));
  return { requests: job.requests, bytes, seconds: (performance.now() - startMs) / 1_000 };
}

function bodiesOf(job: Job): Prepared["body"] {
  if (job.keys !== undefined) return keyBodies(job, job.keys);
  const ours = templatesOf(job);
  if (job.gzip) {
    const bodies = Array.from({ length: job.requests }, (_, at) =>
      gzipSync(stamped(ours[at % ours.length] as Template, job)),
    );
    return (request) => bodies[request] as Uint8Array;
  }
  return (request, connection) => {
    const turn = request % templatesPerConnection;
    return stamped(ours[connection * templatesPerConnection + turn] as Template, job);
  };
}

function templatesOf(job: Job): readonly Template[] {
  let known = templates.get(job.batch);
  if (known === undefined) {
    const traffic = createTraffic({ seed: job.batch });
    const count = inFlightOf(job) * templatesPerConnection;
    known = Array.from({ length: count }, () => traffic.batch(job.batch));
    templates.set(job.batch, known);
  }
  return known;
}

function inFlightOf(job: Job): number {
  return job.batch < largeBatch ? inFlight.usual : inFlight.large;
}

/** Requests that together have every key once, again and again. */
function keyBodies(job: Job, keys: number): Prepared["body"] {
  const traffic = createTraffic({ seed: 1 });
  const count = Math.ceil(keys / job.batch);
  return (request) => {
    const first = (request % count) * job.batch;
    return stamped(traffic.keys(first, Math.min(job.batch, keys - first)), job);
  };
}

function stamped(template: Template, { aheadMs = -spanMs }: Job): Uint8Array {
  template.stamp(Math.imul(salt++, 0x9e3779b1), Date.now() + aheadMs);
  return template.bytes;
}

function until(atMs: number): Promise<void> | undefined {
  const leftMs = atMs - performance.now();
  return leftMs <= 0 ? undefined : new Promise((resolve) => setTimeout(resolve, leftMs));
}
