/** Remembers what each customer has in the cart. */
import { parse, serve } from "../http-server.ts";
import { work } from "../work.ts";
import type { Order } from "./order.ts";

/** The oldest cart goes when there are more. */
const cartsMax = 10_000;
const carts = new Map<string, Order["items"]>();

serve({
  "PUT /carts/:customer": async (asked) => {
    const { items } = parse<Order>(asked);
    await work(2);
    const customer = asked.params.customer as string;
    carts.delete(customer);
    carts.set(customer, items);
    if (carts.size > cartsMax) carts.delete(carts.keys().next().value as string);
    return { items };
  },
});
