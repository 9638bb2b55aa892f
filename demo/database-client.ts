/** The shop's Postgres, seen from a service. */
import { Socket } from "node:net";
import pg from "pg";
import { onceConnected, portOf } from "./http-client.ts";

const connectionsMax = 16;

/** Goes to the database's real port, whatever its name: see http-client.ts. */
class NamedSocket extends Socket {
  override connect(): this {
    return super.connect(portOf("database"), "127.0.0.1");
  }
}

const pool = new pg.Pool({
  host: "database",
  port: 5432,
  user: "shop",
  database: "shop",
  max: connectionsMax,
  idleTimeoutMillis: 0,
  stream: () => new NamedSocket(),
});

/** Opens every connection before the first customer comes. */
onceConnected(async () => {
  const clients = await Promise.all(Array.from({ length: connectionsMax }, () => pool.connect()));
  for (const client of clients) client.release();
});

export async function query<T extends pg.QueryResultRow>(
  text: string,
  values: readonly unknown[] = [],
): Promise<T[]> {
  const result = await pool.query<T>(text, [...values]);
  return result.rows;
}
