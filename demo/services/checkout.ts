/** Turns a cart into an order: price, stock, money, and word to those who pack it. */
import { baggageOf } from "../customer.ts";
import { call } from "../http-client.ts";
import { parse, serve } from "../http-server.ts";
import { publish } from "../queue-client.ts";
import { work } from "../work.ts";
import type { Order, Quote } from "./order.ts";

serve({
  "POST /checkout": async (asked) => {
    const order = parse<Order>(asked);
    await work(2);
    const { total } = await call<Quote>("pricing", "POST", "/quote", order);
    if (!Number.isInteger(total)) throw new Error("quote has no total");
    await call("inventory", "POST", "/reservations", order);
    const payments = `payments.${baggageOf("customer.region")}`;
    await call(payments, "POST", "/charges", { card: order.card, total });
    await publish("orders/placed", { items: order.items, total });
    return { total };
  },
});
