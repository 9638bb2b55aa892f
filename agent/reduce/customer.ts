/**
 * Who a span was for: the first of the configured attributes that is present, on the span or else
 * on its resource, hashed with the tenant's key. The raw value goes nowhere but through the hash.
 */
import { type SipKey, sipHash24 } from "../../sketch/sip-hash.ts";
import { textOf } from "../../wire/any-value.ts";
import { type AttributeSlots, slotOf } from "../../wire/attribute-slots.ts";
import type { AttributeRanges, SpanView } from "../../wire/span-view.ts";

export interface CustomerHasher {
  /** Writes [low, high] of the customer's hash; false when the span names no customer. */
  hash(span: SpanView, out: Uint32Array): boolean;
}

const stringTag = 0x0a;
const shortLengthMax = 0x7f;
const utf8 = new TextEncoder();

export function createCustomerHasher(
  slots: AttributeSlots,
  names: readonly string[],
  key: SipKey,
): CustomerHasher {
  const ladder = Int32Array.from(names, (name) => slotOf(slots, name));
  return {
    hash(span, out) {
      for (let step = 0; step < ladder.length; step++) {
        const slot = ladder[step] as number;
        if (hashValue(key, span.bytes, span.attributes, slot, out)) return true;
        if (hashValue(key, span.bytes, span.resourceAttributes, slot, out)) return true;
      }
      return false;
    },
  };
}

/** A text is hashed where it lies; a number as its decimal text, so `42` and `"42"` are one. */
function hashValue(
  key: SipKey,
  bytes: Uint8Array,
  ranges: AttributeRanges,
  slot: number,
  out: Uint32Array,
): boolean {
  const start = ranges.starts[slot] as number;
  if (start === 0) return false;
  const end = ranges.ends[slot] as number;
  const size = end - start - 2;
  if (
    size > 0 &&
    size <= shortLengthMax &&
    bytes[start] === stringTag &&
    bytes[start + 1] === size
  ) {
    sipHash24(key, bytes, start + 2, end, out);
    return true;
  }
  const text = textOf(bytes, start, end);
  if (text === "") return false;
  const encoded = utf8.encode(text);
  sipHash24(key, encoded, 0, encoded.length, out);
  return true;
}
