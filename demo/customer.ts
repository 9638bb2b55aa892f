/** What the entry knows about the one who asks, told to every span that follows. */
import { context, propagation, trace } from "@opentelemetry/api";

/**
 * Puts the attributes on the current span and into the W3C baggage, from where a span processor
 * copies them onto every later span of the request, in this service and those behind it.
 */
export function withBaggage<T>(attributes: Readonly<Record<string, string>>, work: () => T): T {
  const active = context.active();
  trace.getSpan(active)?.setAttributes(attributes);
  let baggage = propagation.getBaggage(active) ?? propagation.createBaggage();
  for (const [name, value] of Object.entries(attributes)) {
    baggage = baggage.setEntry(name, { value });
  }
  return context.with(propagation.setBaggage(active, baggage), work);
}

/** A baggage entry of the current request. */
export function baggageOf(name: string): string | undefined {
  return propagation.getBaggage(context.active())?.getEntry(name)?.value;
}
