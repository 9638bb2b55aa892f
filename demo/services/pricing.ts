/** What an order costs. */
import { setTimeout as delay } from "node:timers/promises";
import { call } from "../http-client.ts";
import { parse, serve } from "../http-server.ts";
import { inTrouble } from "../trouble.ts";
import { work } from "../work.ts";
import { cartSizeOf, type Order } from "./order.ts";

const pieceCents = 1999;
/** A discount search that grows too fast with the cart. */
const searchMs = 500;

serve({
  "POST /quote": async (asked) => {
    const { items } = parse<Order>(asked);
    await work(3);
    if (inTrouble() && cartSizeOf(items) === "large") await delay(searchMs);
    const net = items.reduce((sum, { quantity }) => sum + quantity * pieceCents, 0);
    const { tax } = await call<{ tax: number | null }>("tax", "POST", "/tax", { net });
    return { net, tax, total: tax === null ? null : net + tax };
  },
});
