/** Opening and closing of a server's port. */
import type { AddressInfo, Server, Socket } from "node:net";
import { OperationalError } from "../../base/errors.ts";

export interface Listening {
  readonly port: number;
  /** Lets calls in progress end for a moment, then closes every connection. */
  close(): Promise<void>;
}

/** A call in progress has this long to end. */
const closeGraceMs = 250;

/** @throws OperationalError ADDRESS_IN_USE when the address cannot be bound */
export function listen(server: Server, at: { host: string; port: number }): Promise<Listening> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  return new Promise((resolve, reject) => {
    server.once("error", (cause) => {
      const message = `cannot listen on ${at.host}:${at.port}: ${cause.message}`;
      reject(new OperationalError("ADDRESS_IN_USE", message, { cause }));
    });
    server.listen(at.port, at.host, () => {
      const { port } = server.address() as AddressInfo;
      resolve({ port, close: () => closeServer(server, sockets) });
    });
  });
}

function closeServer(server: Server, sockets: ReadonlySet<Socket>): Promise<void> {
  return new Promise((resolve) => {
    const cut = setTimeout(() => {
      for (const socket of sockets) socket.destroy();
    }, closeGraceMs);
    server.close(() => {
      clearTimeout(cut);
      resolve();
    });
    // HTTP/1 connections that wait for their next request have nothing to end.
    if ("closeIdleConnections" in server) (server.closeIdleConnections as () => void)();
  });
}
