/** The shop's entry: knows who asks and calls the services that know the rest. */
import { withBaggage } from "../customer.ts";
import { call } from "../http-client.ts";
import { type Asked, parse, type Route, serve } from "../http-server.ts";
import { work } from "../work.ts";
import { cartSizeOf, type Order } from "./order.ts";

serve({
  "GET /products": asCustomer(() => call("catalog", "GET", "/products")),

  "GET /products/:id": asCustomer(async ({ params }) => {
    const [product, alsoLike] = await Promise.all([
      call("catalog", "GET", `/products/${params.id}`),
      call("recommendations", "GET", `/recommendations/${params.id}`).catch(() => []),
    ]);
    return { product, alsoLike };
  }),

  "POST /cart": asCustomer((asked) => {
    const { items } = parse<Order>(asked);
    return withBaggage({ "cart.size": cartSizeOf(items) }, () =>
      call("cart", "PUT", `/carts/${asked.headers["x-customer-id"]}`, { items }),
    );
  }),

  "POST /checkout": asCustomer((asked) => {
    const order = parse<Order>(asked);
    const attributes = { "cart.size": cartSizeOf(order.items), "payment.card.type": order.card };
    return withBaggage(attributes, () => call("checkout", "POST", "/checkout", order));
  }),
});

function asCustomer(route: Route): Route {
  return (asked: Asked) => {
    const { headers } = asked;
    const attributes = {
      "customer.id": String(headers["x-customer-id"]),
      "customer.region": String(headers["x-customer-region"]),
      "customer.plan": String(headers["x-customer-plan"]),
    };
    return withBaggage(attributes, async () => {
      await work(1);
      return route(asked);
    });
  };
}
