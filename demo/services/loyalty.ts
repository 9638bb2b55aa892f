/** Points for what was bought. */
import { parse, serve } from "../http-server.ts";
import { work } from "../work.ts";
import type { Quote } from "./order.ts";

serve({
  "POST /points": async (asked) => {
    const { total } = parse<Quote>(asked);
    await work(3);
    return { points: Math.floor(total / 100) };
  },
});
