/** What others bought. */
import { serve } from "../http-server.ts";
import { chance, work } from "../work.ts";

serve({
  "GET /recommendations/:id": async () => {
    await work(5);
    return [1, 2, 3].map(() => 1 + chance.integer(60));
  },
});
