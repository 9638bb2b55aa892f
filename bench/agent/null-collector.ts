/** Takes batches over HTTP as a collector does, and keeps only their sizes. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createAcknowledger } from "../acknowledge.ts";

export interface NullCollector {
  readonly url: string;
  readonly port: number;
  readonly batches: number;
  readonly bytes: number;
  /** Whether requests are answered. */
  answer(does: boolean): void;
  close(): Promise<void>;
}

/** On a free port unless told. */
export async function startNullCollector(onPort = 0): Promise<NullCollector> {
  const seen = { batches: 0, bytes: 0 };
  let answers = true;
  const acknowledge = createAcknowledger();
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const isBatch = request.method === "POST";
      const body = Buffer.concat(chunks);
      if (isBatch) {
        seen.batches++;
        seen.bytes += body.length;
      }
      if (!answers) return;
      const thresholds = { revision: 0, items: [] };
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify(isBatch ? acknowledge(body, Date.now()) : thresholds));
    });
  });
  await new Promise<void>((resolve) => server.listen(onPort, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    get batches() {
      return seen.batches;
    },
    get bytes() {
      return seen.bytes;
    },
    answer(does) {
      answers = does;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
