/** Where alerts are sent, by path: webhooks and Alertmanagers of one web server, well or not. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { createSimTarget, type SimTarget } from "../notify/sim-target.ts";

export interface AlertSinks {
  readonly webhooks: readonly SimTarget[];
  readonly alertmanagers: readonly SimTarget[];
  /** Called when a message has come, before it is answered. */
  onTold: (target: SimTarget) => void;
  close(): void;
}

const hangMs = 60_000;

export async function startAlertSinks(count: number): Promise<AlertSinks> {
  const targets = new Map<string, SimTarget>();
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const name = request.url?.split("/")[1] ?? "";
      answer(targets.get(name) as SimTarget, Buffer.concat(chunks).toString(), request, response);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const named = (kind: string): readonly SimTarget[] =>
    Array.from({ length: count }, (_, index) => {
      const name = `${kind}-${index}`;
      const target = createSimTarget(`http://127.0.0.1:${port}/${name}`);
      targets.set(name, target);
      return target;
    });
  const sinks: AlertSinks = {
    webhooks: named("hook"),
    alertmanagers: named("am"),
    onTold: () => {},
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
  const answer = (
    target: SimTarget,
    body: string,
    request: IncomingMessage,
    response: ServerResponse,
  ): void => {
    const headers = { "idempotency-key": String(request.headers["idempotency-key"]) };
    const before = target.told.length;
    const result = target.take({ body, headers }, Date.now());
    if (target.told.length > before) sinks.onTold(target);
    if (result === undefined) {
      // `lost` is cut off, so that it fails at once; what hangs lets go much later than we wait.
      if (target.mood === "lost") request.socket.resetAndDestroy();
      else setTimeout(() => response.end(), hangMs).unref();
    } else if (result.kind === "failed") request.socket.resetAndDestroy();
    else response.writeHead(result.status, target.mood === 429 ? { "retry-after": "2" } : {}).end();
  };
  return sinks;
}
