/**
 * The numbered event stream over WebSocket: a snapshot, then every event after the client's last
 * one, or a `gap` message for numbers that are gone.
 *
 *   following ──buffer full──▶ stalled ──drains──▶ following (skipped to latest when it was long)
 *                                 └──30 s──▶ closed with 1013
 *
 * Clients share the ring of events and hold only a position in it; what is buffered for one client
 * stays below `clientBufferBytesMax`.
 */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { WebSocket, WebSocketServer } from "ws";
import { type Cancel, type Clock, every } from "../../base/clock.ts";
import type { Counter, Meter } from "../../base/meter.ts";
import type { Incident, StreamEvent, StreamMessage } from "../../wire/api-types.ts";
import type { Pass } from "../access/access.ts";
import type { EventsView } from "../store/events-journal.ts";

export interface EventStreamOptions {
  readonly clock: Clock;
  readonly meter: Meter;
  readonly events: EventsView;
  readonly incidents: () => readonly Incident[];
  readonly clientsMax: number;
  /** Bytes buffered for one client before it counts as stalled. */
  readonly clientBufferBytesMax?: number;
}

export interface EventStream {
  /** Takes over a connection whose upgrade was found to be in order. */
  accept(request: IncomingMessage, socket: Duplex, head: Buffer, admission: Admission): void;
  readonly full: boolean;
  /** New events are in the ring. */
  publish(): void;
  shutdown(): Promise<void>;
}

export interface StreamQuery {
  /** The last number the client has seen; undefined to follow from now on. */
  readonly since: number | undefined;
  readonly epoch: string | undefined;
}

/** What a client asks for, and what it was let in with. */
export interface Admission {
  readonly query: StreamQuery;
  readonly pass: Pass;
}

interface Client {
  readonly socket: WebSocket;
  /** What the socket writes to. */
  readonly connection: Duplex;
  readonly pass: Pass;
  /** The next number to send. */
  cursor: number;
  stalledSinceMs: number | undefined;
  alive: boolean;
}

/** What a browser offers beside its ticket. */
export const streamProtocol = "brunt.v1";
const clientBufferBytesMaxDefault = 2 ** 20;
const messageBytesMax = 64 * 2 ** 10;
const pingEveryMs = 15_000;
/** A stall shorter than this loses nothing; after a longer one the latest state matters more. */
const skipAfterMs = 5_000;
const closeAfterMs = 30_000;
const checkEveryMs = 1_000;
const tryAgainLater = 1013;
const goingAway = 1001;
const policyViolation = 1008;

export function createEventStream(options: EventStreamOptions): EventStream {
  return new Stream(options);
}

class Stream implements EventStream {
  readonly #options: EventStreamOptions;
  readonly #bufferBytesMax: number;
  readonly #server = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: messageBytesMax,
    // A ticket beside it is for the upgrade alone and must not come back.
    handleProtocols: (offered) => (offered.has(streamProtocol) ? streamProtocol : false),
  });
  readonly #clients = new Set<Client>();
  readonly #skipped: Counter;
  readonly #closedSlow: Counter;
  readonly #cancels: readonly Cancel[];
  readonly #bytes = new WeakMap<StreamEvent, Buffer>();

  constructor(options: EventStreamOptions) {
    this.#options = options;
    this.#bufferBytesMax = options.clientBufferBytesMax ?? clientBufferBytesMaxDefault;
    const { meter, clock } = options;
    meter.gauge("brunt_collector_stream_clients", "clients of the event stream", () => {
      return this.#clients.size;
    });
    meter.gauge(
      "brunt_collector_stream_buffered_bytes",
      "bytes waiting for the slowest client of the event stream",
      () => Math.max(0, ...[...this.#clients].map(({ socket }) => socket.bufferedAmount)),
    );
    this.#skipped = meter.counter(
      "brunt_collector_stream_skipped_events_total",
      "events not sent to a client because it was slow or the numbers were gone",
    );
    this.#closedSlow = meter.counter(
      "brunt_collector_stream_slow_clients_total",
      "clients closed because they did not read for 30 s",
    );
    this.#cancels = [
      every(clock, checkEveryMs, () => this.#checkAll()),
      every(clock, pingEveryMs, () => this.#pingAll()),
    ];
  }

  get full(): boolean {
    return this.#clients.size >= this.#options.clientsMax;
  }

  accept(request: IncomingMessage, socket: Duplex, head: Buffer, admission: Admission): void {
    this.#server.handleUpgrade(request, socket, head, (webSocket) => {
      this.#welcome(webSocket, socket, admission);
    });
  }

  #welcome(socket: WebSocket, connection: Duplex, { query, pass }: Admission): void {
    const { events, incidents } = this.#options;
    const client: Client = {
      socket,
      connection,
      pass,
      cursor: events.nextSeq,
      stalledSinceMs: undefined,
      alive: true,
    };
    this.#clients.add(client);
    socket.on("close", () => this.#clients.delete(client));
    socket.on("error", () => socket.terminate());
    socket.on("pong", () => {
      client.alive = true;
    });
    socket.on("message", () => socket.close(policyViolation, "this stream takes no messages"));
    this.#send(client, {
      type: "hello",
      epoch: events.epoch,
      nextSeq: events.nextSeq,
      incidents: incidents(),
    });
    if (query.since !== undefined) this.#resume(client, query.since, query.epoch);
    this.#pump(client);
  }

  /** Puts the client where it left off; with another numbering there is no such place. */
  #resume(client: Client, since: number, epoch: string | undefined): void {
    const { events } = this.#options;
    const known = (epoch === undefined || epoch === events.epoch) && since < events.nextSeq;
    if (known) client.cursor = since + 1;
    else if (events.nextSeq > 1) this.#gap(client, 1, events.nextSeq - 1);
    else this.#send(client, { type: "gap", fromSeq: 0, toSeq: 0 });
  }

  publish(): void {
    for (const client of this.#clients) this.#pump(client);
  }

  /** Sends what the client has not seen, as far as its buffer has room. */
  #pump(client: Client): void {
    const { events, clock } = this.#options;
    if (client.socket.readyState !== WebSocket.OPEN) return;
    // Events that come together leave together: a call of the system costs more than all else.
    client.connection.cork();
    while (client.cursor < events.nextSeq) {
      if (client.socket.bufferedAmount >= this.#bufferBytesMax) {
        client.stalledSinceMs ??= clock.nowMs();
        break;
      }
      this.#leaveStall(client);
      if (client.cursor < events.nextSeq) this.#sendNext(client);
    }
    client.connection.uncork();
  }

  #leaveStall(client: Client): void {
    const { events, clock } = this.#options;
    const since = client.stalledSinceMs;
    client.stalledSinceMs = undefined;
    if (since === undefined || clock.nowMs() - since < skipAfterMs) return;
    this.#gap(client, client.cursor, events.nextSeq - 1);
    client.cursor = events.nextSeq;
  }

  #sendNext(client: Client): void {
    const event = firstFrom(this.#options.events.ring, client.cursor);
    const available = event?.seq ?? this.#options.events.nextSeq;
    if (available > client.cursor) {
      this.#gap(client, client.cursor, available - 1);
      client.cursor = available;
      return;
    }
    if (event !== undefined) this.#sendBytes(client, this.#bytesOf(event));
    client.cursor++;
  }

  #gap(client: Client, fromSeq: number, toSeq: number): void {
    this.#skipped.add(toSeq - fromSeq + 1);
    this.#send(client, { type: "gap", fromSeq, toSeq });
  }

  /** One for all clients: they share what waits for them, so two hundred that stall cost as one. */
  #bytesOf(event: StreamEvent): Buffer {
    let bytes = this.#bytes.get(event);
    if (bytes === undefined) {
      bytes = Buffer.from(JSON.stringify(event));
      this.#bytes.set(event, bytes);
    }
    return bytes;
  }

  #send(client: Client, message: StreamMessage): void {
    this.#sendBytes(client, Buffer.from(JSON.stringify(message)));
  }

  #sendBytes(client: Client, bytes: Buffer): void {
    client.socket.send(bytes, { binary: false }, () => {
      if (client.stalledSinceMs !== undefined) this.#pump(client);
    });
  }

  #checkAll(): void {
    const now = this.#options.clock.nowMs();
    for (const client of this.#clients) {
      if (!client.pass.isValid()) {
        this.#drop(client, policyViolation, "the token is revoked or past its end");
        continue;
      }
      this.#pump(client);
      const since = client.stalledSinceMs;
      if (since === undefined || now - since < closeAfterMs) continue;
      this.#closedSlow.add();
      this.#drop(client, tryAgainLater, "reads too slowly; connect again with since");
    }
  }

  /** A client that does not read does not answer a close either. */
  #drop(client: Client, code: number, reason: string): void {
    this.#clients.delete(client);
    client.socket.close(code, reason);
    this.#options.clock.after(checkEveryMs, () => client.socket.terminate());
  }

  #pingAll(): void {
    for (const client of this.#clients) {
      // A ping would wait behind what the client does not read; `checkAll` deals with it.
      if (client.stalledSinceMs !== undefined) continue;
      if (!client.alive) {
        client.socket.terminate();
        continue;
      }
      client.alive = false;
      client.socket.ping();
    }
  }

  async shutdown(): Promise<void> {
    for (const cancel of this.#cancels) cancel();
    for (const { socket } of this.#clients) {
      socket.close(goingAway, "the collector is shutting down");
      socket.terminate();
    }
    this.#clients.clear();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

/** The first event numbered `seq` or above, by bisection. */
function firstFrom(ring: readonly StreamEvent[], seq: number): StreamEvent | undefined {
  let low = 0;
  let high = ring.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ring[middle] as StreamEvent).seq < seq) low = middle + 1;
    else high = middle;
  }
  return ring[low];
}
