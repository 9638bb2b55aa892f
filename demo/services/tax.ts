/** How much of the price is tax. */
import { SpanStatusCode, trace } from "@opentelemetry/api";
import { parse, serve } from "../http-server.ts";
import { inTrouble } from "../trouble.ts";
import { work } from "../work.ts";

const tracer = trace.getTracer("shop.tax");

serve({
  "POST /tax": async (asked) => {
    const { net } = parse<{ net: number }>(asked);
    const rate = await lookUpRate();
    return { tax: rate === undefined ? null : Math.round(net * rate) };
  },
});

/** The rate, or nothing when the table cannot be read: callers are told "no tax known". */
function lookUpRate(): Promise<number | undefined> {
  return tracer.startActiveSpan("look up rate", async (span) => {
    try {
      await work(2);
      if (inTrouble()) throw new Error("rate table is empty");
      return 0.19;
    } catch (error) {
      span.recordException(error as Error);
      span.setStatus({ code: SpanStatusCode.ERROR, message: (error as Error).message });
      return undefined;
    } finally {
      span.end();
    }
  });
}
