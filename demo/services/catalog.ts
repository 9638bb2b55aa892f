/** What the shop sells. */
import { query } from "../database-client.ts";
import { serve } from "../http-server.ts";
import { work } from "../work.ts";

serve({
  "GET /products": async () => {
    await work(2);
    return query("SELECT id, name, price_cents FROM products ORDER BY id LIMIT 20");
  },

  "GET /products/:id": async ({ params }) => {
    const rows = await query("SELECT id, name, price_cents FROM products WHERE id = $1", [
      Number(params.id),
    ]);
    await work(2);
    return rows[0];
  },
});
