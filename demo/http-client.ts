/**
 * Calls between services by name, as in a cluster: `directory` plays the part of its DNS and load
 * balancer, giving each name's instances their turn. Every service listens on port 8080 of its
 * name; only the connection itself goes to the real port on the loopback interface.
 */
import http from "node:http";
import { connect } from "node:net";
import { answer, type Directory } from "./line.ts";

export interface Sending {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON, or as it is when a string. */
  readonly body?: unknown;
}

export interface Reply {
  readonly status: number;
  readonly text: string;
}

/** The service behind did not answer as it should. */
export class UpstreamError extends Error {}

const timeoutMs = 10_000;
const socketsMax = 64;

let directory: Directory = {};
const agents = new Map<number, http.Agent>();
const turns = new Map<string, number>();
const newcomers: (() => Promise<unknown>)[] = [];

answer("directory", async (next: Directory) => {
  directory = next;
  const ports = new Set(Object.values(next).flat());
  for (const port of agents.keys()) if (!ports.has(port)) agents.delete(port);
  for (const work of newcomers.splice(0)) await work();
});

/** Runs once the other services can be found. */
export function onceConnected(work: () => Promise<unknown>): void {
  newcomers.push(work);
}

/** The port of the instance of `service` whose turn it is. */
export function portOf(service: string): number {
  const ports = directory[service] ?? [];
  const turn = turns.get(service) ?? 0;
  turns.set(service, turn + 1);
  const port = ports[turn % ports.length];
  if (port === undefined) throw new UpstreamError(`no instance of ${service}`);
  return port;
}

/** Sends one request to `service` and gives the whole reply. */
export function send(service: string, { method, path, headers, body }: Sending): Promise<Reply> {
  const agent = agentOf(portOf(service));
  return new Promise((resolve, reject) => {
    const request = http.request(
      { host: service, port: 8080, method, path, agent, timeout: timeoutMs },
      (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => {
          text += chunk;
        });
        response.on("error", reject);
        response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
      },
    );
    request.on("timeout", () => request.destroy(new Error(`no reply in ${timeoutMs} ms`)));
    request.on("error", reject);
    for (const [name, value] of Object.entries(headers ?? {})) request.setHeader(name, value);
    if (body !== undefined) request.setHeader("content-type", "application/json");
    request.end(typeof body === "string" || body === undefined ? body : JSON.stringify(body));
  });
}

/**
 * Calls a service and gives what it answered.
 * @throws UpstreamError when it cannot be reached or answers 4xx or 5xx
 */
export async function call<T>(
  service: string,
  method: string,
  path: string,
  body?: unknown,
): Promise<T> {
  const reply = await send(service, { method, path, body }).catch((error: Error) => {
    throw new UpstreamError(`${service}: ${error.message}`);
  });
  if (reply.status >= 400) throw new UpstreamError(`${service} answered ${reply.status}`);
  return JSON.parse(reply.text) as T;
}

function agentOf(port: number): http.Agent {
  const known = agents.get(port);
  if (known !== undefined) return known;
  const agent = new http.Agent({ keepAlive: true, maxSockets: socketsMax });
  Object.assign(agent, { createConnection: () => connect(port, "127.0.0.1") });
  agents.set(port, agent);
  return agent;
}
