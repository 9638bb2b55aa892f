/** Between agents and a collector in R9: it repeats, holds back, and keeps all that passes. */
import { createHash } from "node:crypto";
import { createServer, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Prng } from "../../base/prng.ts";
import { pause } from "../processes/wait.ts";

const duplicateShare = 0.2;
const delayShare = 0.2;

export interface RepeatingProxy {
  readonly port: number;
  /** Of the collector everything goes to. */
  target: number;
  /** Of a collector that gets what the other has taken, once and at once. */
  clean: number;
  readonly forwarded: number;
  readonly duplicated: number;
  readonly delayed: number;
  /** Sends everything it ever saw once more. */
  replay(): Promise<number>;
  close(): void;
}

interface Seen {
  readonly path: string;
  readonly method: string;
  readonly type: string;
  readonly body: Buffer;
}

/** Between agents and collector: repeats some, holds some back, keeps all. */
export async function startRepeatingProxy(prng: Prng, delayMsMax: number): Promise<RepeatingProxy> {
  const seen: Seen[] = [];
  const counts = { forwarded: 0, duplicated: 0, delayed: 0 };
  const taken = new Set<string>();
  let [target, clean] = [0, 0];
  const server: Server = createServer(async (incoming, outgoing) => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const { url = "/", method = "GET", headers } = incoming;
    const type = headers["content-type"] ?? "";
    const message: Seen = { path: url, method, type, body: Buffer.concat(chunks) };
    counts.forwarded++;
    if (method === "POST") {
      seen.push(message);
      if (prng.next() < duplicateShare) {
        counts.duplicated++;
        setTimeout(() => void forward(target, message), prng.integer(delayMsMax)).unref();
      }
      if (prng.next() < delayShare) {
        counts.delayed++;
        await pause(prng.integer(Math.min(delayMsMax, 8_000)));
      }
    }
    const answer = await forward(target, message);
    const digest = createHash("sha256").update(message.body).digest("hex");
    if (method === "POST" && answer.status < 300 && !taken.has(digest)) {
      taken.add(digest);
      await forward(clean, message);
    }
    outgoing.writeHead(answer.status, { "content-type": "application/json" });
    outgoing.end(answer.body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    get target() {
      return target;
    },
    set target(port) {
      target = port;
    },
    get clean() {
      return clean;
    },
    set clean(port) {
      clean = port;
    },
    get forwarded() {
      return counts.forwarded;
    },
    get duplicated() {
      return counts.duplicated;
    },
    get delayed() {
      return counts.delayed;
    },
    async replay() {
      for (const message of seen) await forward(target, message);
      return seen.length;
    },
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

function forward(port: number, { path, method, type, body }: Seen) {
  return new Promise<{ status: number; body: Buffer }>((resolve) => {
    const outgoing = request({
      ...{ host: "127.0.0.1", port, path, method },
      headers: { "content-type": type, "content-length": body.length },
    });
    outgoing.once("error", () => resolve({ status: 502, body: Buffer.alloc(0) }));
    outgoing.once("response", async (response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk as Buffer);
      resolve({ status: response.statusCode ?? 502, body: Buffer.concat(chunks) });
    });
    outgoing.end(method === "POST" ? body : undefined);
  });
}
