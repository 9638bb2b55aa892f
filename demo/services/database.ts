/**
 * Postgres (PGlite) on a socket: a part the shop did not write, and that tells nobody how it is.
 *
 * PGlite is one session, and its socket server takes turns by message, so the steps of two
 * clients' prepared queries could mix. The door in front takes turns by query: it lets one client's
 * messages in and waits for ReadyForQuery before the next. It is also where the way to the
 * database can be made long.
 */
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { PGlite } from "@electric-sql/pglite";
import { PGLiteSocketServer } from "@electric-sql/pglite-socket";
import { ready } from "../line.ts";
import { inTrouble } from "../trouble.ts";

const connectionsMax = 100;
const productsCount = 60;
const farMs = 400;
const terminate = 0x58;
/** The head of a ReadyForQuery message; one byte of transaction state follows. */
const readyForQuery = Buffer.from([0x5a, 0, 0, 0, 5]);

let turn: Promise<void> = Promise.resolve();

const db = await PGlite.create();
await db.exec(`
  CREATE TABLE products (id int PRIMARY KEY, name text NOT NULL, price_cents int NOT NULL);
  CREATE TABLE stock (product_id int PRIMARY KEY, reserved int NOT NULL DEFAULT 0);
  INSERT INTO products SELECT n, 'product ' || n, 499 + n * 100
    FROM generate_series(1, ${productsCount}) n;
  INSERT INTO stock SELECT id FROM products;
`);
const inner = new PGLiteSocketServer({ db, port: 0, maxConnections: connectionsMax });
await inner.start();
const innerPort = Number(inner.getServerConn().split(":").at(-1));

const door = createServer(welcome);
door.listen(0, "127.0.0.1", () => ready((door.address() as AddressInfo).port));

function welcome(client: Socket): void {
  const session = connect(innerPort, "127.0.0.1");
  session.pipe(client);
  client.on("data", async (messages: Buffer) => {
    if (messages[0] === terminate) return client.end();
    if (inTrouble()) await delay(farMs);
    const before = turn;
    turn = before.then(() => ask(session, messages));
  });
  for (const [socket, other] of [
    [client, session],
    [session, client],
  ] as const) {
    socket.on("error", () => other.destroy());
    socket.on("close", () => other.destroy());
  }
}

/** Sends the messages of one query and waits until it is answered. */
function ask(session: Socket, messages: Buffer): Promise<void> {
  return new Promise((resolve) => {
    if (session.destroyed) return resolve();
    const done = (): void => {
      session.off("data", look);
      session.off("close", done);
      resolve();
    };
    const look = (chunk: Buffer): void => {
      if (chunk.subarray(-6, -1).equals(readyForQuery)) done();
    };
    session.on("data", look);
    session.on("close", done);
    session.write(messages);
  });
}
