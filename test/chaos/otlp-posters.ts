/** Senders of OTLP that judge the answer: taken, or refused so that a sender comes back later. */
import { Agent, request } from "node:http";
import { connect } from "node:http2";

/** `shed`: to be sent again, by the rules of OTLP; `unsure`: the connection broke. */
export type Outcome = "taken" | "shed" | "unsure" | "other";

export interface Poster {
  post(body: Uint8Array): Promise<Outcome>;
  close(): void;
}

const timeoutMs = 60_000;

/** 429 and 503 have to say when to come back. */
export function createHttpPoster(port: number): Poster {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  return {
    post: (body) =>
      new Promise((resolve) => {
        const outgoing = request({
          ...{ agent, host: "127.0.0.1", port, path: "/v1/traces", method: "POST" },
          headers: { "content-type": "application/x-protobuf", "content-length": body.length },
          timeout: timeoutMs,
        });
        outgoing.once("timeout", () => outgoing.destroy());
        outgoing.once("error", () => resolve("unsure"));
        outgoing.once("response", (response) => {
          response.resume();
          const { statusCode = 0, headers } = response;
          const isShed = statusCode === 429 || statusCode === 503;
          const saysWhen = /^\d+$/.test(headers["retry-after"] ?? "");
          if (statusCode === 200) resolve("taken");
          else resolve(isShed && saysWhen ? "shed" : "other");
        });
        outgoing.end(body);
      }),
    close: () => agent.destroy(),
  };
}

const exportPath = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
const unavailable = "14";

/** UNAVAILABLE has to carry a RetryInfo. After a connection that broke there is a new one. */
export function createGrpcPoster(port: number): Poster {
  const open = () => connect(`http://127.0.0.1:${port}`).on("error", () => {});
  let session = open();
  return {
    post(body) {
      if (session.destroyed || session.closed) session = open();
      return new Promise((resolve) => {
        const stream = session.request({
          ...{ ":method": "POST", ":path": exportPath, te: "trailers" },
          "content-type": "application/grpc",
        });
        let outcome: Outcome = "unsure";
        const judge = (headers: Record<string, unknown>): void => {
          const status = headers["grpc-status"];
          if (status !== undefined) outcome = outcomeOf(status, headers);
        };
        stream.setTimeout(timeoutMs, () => stream.close());
        stream.on("response", judge);
        stream.on("trailers", judge);
        stream.on("error", () => {});
        stream.on("close", () => resolve(outcome));
        stream.resume();
        const head = Buffer.alloc(5);
        head.writeUInt32BE(body.length, 1);
        stream.end(Buffer.concat([head, body]));
      });
    },
    close: () => session.destroy(),
  };
}

function outcomeOf(status: unknown, headers: Record<string, unknown>): Outcome {
  if (status === "0") return "taken";
  const details = Buffer.from(String(headers["grpc-status-details-bin"] ?? ""), "base64");
  return status === unavailable && details.includes("google.rpc.RetryInfo") ? "shed" : "other";
}
