/**
 * A process with the collector's event stream alone, which says so many events a second as its
 * parent asks for; D8 looks at its memory.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createMeter } from "../../base/meter.ts";
import { systemClock } from "../../cli/system.ts";
import { createEventStream } from "../../collector/api/event-stream.ts";
import type { StreamEvent } from "../../wire/api-types.ts";
import { incident } from "../cli/sample-incident.ts";

/** As many as the collector keeps. */
const ringMax = 4_096;
const tickMs = 10;

const perSecond = Number(process.argv[2]);
const ring: StreamEvent[] = [];
let nextSeq = 1;
const stream = createEventStream({
  clock: systemClock,
  meter: createMeter(),
  clientsMax: 1_000,
  incidents: () => [],
  events: {
    epoch: "e",
    closing: 0,
    get nextSeq() {
      return nextSeq;
    },
    get ring() {
      return ring;
    },
  },
});

const server = createServer();
server.on("upgrade", (request, socket, head) => {
  const pass = { isValid: () => true };
  stream.accept(request, socket, head, { query: { since: undefined, epoch: undefined }, pass });
});
server.listen(0, "127.0.0.1", () => {
  process.send?.({ port: (server.address() as AddressInfo).port });
});

let saidUntil = performance.now();
process.on("message", () => {
  saidUntil = performance.now();
  setInterval(say, tickMs);
});

/** Catches up with the clock, however late the timer is. */
function say(): void {
  const due = Math.floor(((performance.now() - saidUntil) * perSecond) / 1_000);
  if (due === 0) return;
  saidUntil += (due * 1_000) / perSecond;
  for (let count = 0; count < due; count++) {
    ring.push({ type: "incident.updated", seq: nextSeq, atMs: Date.now(), incident });
    nextSeq++;
  }
  ring.splice(0, Math.max(0, ring.length - ringMax));
  stream.publish();
}
