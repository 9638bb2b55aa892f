/** Charges cards; runs in two regions, and in two versions while the newer is being tried out. */
import { parse, serve } from "../http-server.ts";
import { inTrouble } from "../trouble.ts";
import { chance, work } from "../work.ts";

/** Card networks drop one charge in this many. */
const dropOneIn = 2000;

serve({
  "POST /charges": async (asked) => {
    const { card, total } = parse<{ card: string; total: number }>(asked);
    await work(20);
    if (inTrouble() && card === "amex") throw new Error("unexpected reply from card network");
    if (chance.integer(dropOneIn) === 0) throw new Error("card network closed the connection");
    return { charged: total };
  },
});
