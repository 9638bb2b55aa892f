/** Packs what was ordered: works off the queue. */
import { call } from "../http-client.ts";
import { ready } from "../line.ts";
import { subscribe } from "../queue-client.ts";
import { work } from "../work.ts";
import type { Quote } from "./order.ts";

subscribe<Quote>("orders/placed", async ({ total }) => {
  await work(8);
  await call("loyalty", "POST", "/points", { total });
});

ready();
