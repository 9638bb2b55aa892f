/** The client sides of OTLP, as cheap as they can be: what is measured is the server. */
import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";

export interface Connection {
  /** Sends one request and resolves when it is answered well. */
  send(body: Uint8Array): Promise<void>;
  close(): void;
}

export type Protocol = "http" | "grpc";

const grpcPath = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/** As many connections as there are requests in flight; gRPC ones share a session. */
export async function openConnections(options: {
  readonly protocol: Protocol;
  readonly port: number;
  readonly gzip: boolean;
  readonly count: number;
}): Promise<readonly Connection[]> {
  const { protocol, port, gzip, count } = options;
  if (protocol === "grpc") {
    const session = connectHttp2(`http://127.0.0.1:${port}`);
    await new Promise<void>((resolve, reject) => {
      session.once("connect", () => resolve());
      session.once("error", reject);
    });
    return Array.from({ length: count }, () => grpcConnection(session, gzip));
  }
  return Promise.all(Array.from({ length: count }, () => httpConnection(port, gzip)));
}

async function httpConnection(port: number, gzip: boolean): Promise<Connection> {
  const socket: Socket = connect({ port, host: "127.0.0.1", noDelay: true });
  await new Promise<void>((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("error", reject);
  });
  const head = [
    "POST /v1/traces HTTP/1.1",
    `host: 127.0.0.1:${port}`,
    "content-type: application/x-protobuf",
    ...(gzip ? ["content-encoding: gzip"] : []),
    "content-length: ",
  ].join("\r\n");
  let answered: ((status: string) => void) | undefined;
  socket.on("data", (chunk: Buffer) => answered?.(chunk.toString("latin1", 9, 12)));
  return {
    send: (body) =>
      new Promise((resolve, reject) => {
        answered = (status) =>
          status === "200" ? resolve() : reject(new Error(`the agent answers ${status}`));
        socket.write(`${head}${body.length}\r\n\r\n`);
        socket.write(body);
      }),
    close: () => socket.destroy(),
  };
}

function grpcConnection(session: ClientHttp2Session, gzip: boolean): Connection {
  return {
    send: (body) =>
      new Promise((resolve, reject) => {
        const stream = session.request({
          ":method": "POST",
          ":path": grpcPath,
          "content-type": "application/grpc+proto",
          te: "trailers",
          ...(gzip ? { "grpc-encoding": "gzip" } : {}),
        });
        let status = "";
        const note = (headers: Record<string, unknown>): void => {
          status = String(headers["grpc-status"] ?? status);
        };
        stream.on("response", note);
        stream.on("trailers", note);
        stream.on("error", reject);
        stream.on("close", () =>
          status === "0" ? resolve() : reject(new Error(`the agent answers ${status}`)),
        );
        stream.resume();
        const head = Buffer.alloc(5);
        head[0] = gzip ? 1 : 0;
        head.writeUInt32BE(body.length, 1);
        stream.write(head);
        stream.end(body);
      }),
    close: () => session.destroy(),
  };
}
