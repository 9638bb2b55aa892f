/** An OTLP/HTTP receiver that keeps what it gets. */
import http from "node:http";
import type { AddressInfo } from "node:net";
import { gunzipSync } from "node:zlib";
import { decodeSpans, type SeenSpan } from "./otlp-decode.ts";

export interface OtlpSink {
  readonly endpoint: string;
  readonly spans: readonly SeenSpan[];
  /** Every request's body as it came, headers before it, as text of single bytes. */
  readonly texts: readonly string[];
  close(): Promise<void>;
}

export async function startOtlpSink(): Promise<OtlpSink> {
  const spans: SeenSpan[] = [];
  const texts: string[] = [];
  const server = http.createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const sent = Buffer.concat(chunks);
    const body = request.headers["content-encoding"] === "gzip" ? gunzipSync(sent) : sent;
    texts.push(`${request.url} ${request.rawHeaders.join(" ")} ${body.toString("latin1")}`);
    spans.push(...decodeSpans(body));
    response.writeHead(200, { "content-type": "application/x-protobuf" }).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    texts,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
