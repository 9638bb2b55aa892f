/** Keeps count of what is in stock. */
import { query } from "../database-client.ts";
import { parse, serve } from "../http-server.ts";
import { work } from "../work.ts";
import type { Order } from "./order.ts";

serve({
  "POST /reservations": async (asked) => {
    const { items } = parse<Order>(asked);
    await work(2);
    const products = items.map(({ productId }) => productId);
    return query(
      "UPDATE stock SET reserved = reserved + 1 WHERE product_id = ANY($1) RETURNING product_id",
      [products],
    );
  },
});
