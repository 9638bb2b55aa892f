/**
 * Who a span was for: the first of the configured attributes that is present, on the span or else
 * on its resource, hashed with the tenant's key. The raw value goes nowhere but through the hash.
 */
import { type SipKey, sipHash24 } from "../../sketch/sip-hash.ts";
import { textOf } from "../../wire/any-value.ts";
import { type AttributeSlots, slotOf } from "../../wire/attribute-slots.ts";
import {
  type AttributeRows,
  attributeWords,
  findSlot,
  firstAttribute,
  resourceAttributeRange,
  resourceColumn,
  resourceWords,
  spanWords,
  type TraceTable,
} from "../../wire/trace-table.ts";
import { CustomerCache } from "./customer-cache.ts";

export interface CustomerHasher {
  /** Writes [low, high] of the customer's hash; false when the span names no customer. */
  hash(table: TraceTable, span: number, out: Uint32Array): boolean;
}

const stringTag = 0x0a;
const shortLengthMax = 0x7f;
const noRank = 0xff;
const utf8 = new TextEncoder();

export function createCustomerHasher(
  slots: AttributeSlots,
  names: readonly string[],
  key: SipKey,
): CustomerHasher {
  const cache = new CustomerCache(key);
  const ladder = names.map((name) => slotOf(slots, name));
  const ranks = new Uint8Array(slots.count).fill(noRank);
  for (const [rank, slot] of ladder.entries()) ranks[slot] = rank;
  return {
    hash(table, span, out) {
      const from = table.spans[span + firstAttribute] as number;
      const to = table.spans[span + spanWords + firstAttribute] as number;
      // The best attribute, on the span itself and with a text in it, ends nearly every search.
      const best = bestRow(table.attributes, from, to, ranks);
      if (
        best >= 0 &&
        ranks[table.attributes.words[best] as number] === 0 &&
        hashValue(cache, table, table.attributes, best, out)
      ) {
        return true;
      }
      const row = (table.spans[span + resourceColumn] as number) * resourceWords;
      const resourceFrom = table.resources[row + resourceAttributeRange] as number;
      const resourceTo = table.resources[row + resourceAttributeRange + 1] as number;
      const rows = table.resourceAttributes;
      if (best < 0 && bestRow(rows, resourceFrom, resourceTo, ranks) < 0) return false;
      for (const slot of ladder) {
        const own = findSlot(table.attributes, from, to, slot);
        if (hashValue(cache, table, table.attributes, own, out)) return true;
        const shared = findSlot(rows, resourceFrom, resourceTo, slot);
        if (hashValue(cache, table, rows, shared, out)) return true;
      }
      return false;
    },
  };
}

/** Where the last of the best rows begins; -1 when none is a customer's. */
function bestRow(rows: AttributeRows, from: number, to: number, ranks: Uint8Array): number {
  const { words } = rows;
  let best = -1;
  let bestRank = noRank - 1;
  for (let at = from * attributeWords; at < to * attributeWords; at += attributeWords) {
    const rank = ranks[words[at] as number] as number;
    if (rank > bestRank) continue;
    best = at;
    bestRank = rank;
  }
  return best;
}

/** A text is hashed where it lies; a number as its decimal text, so `42` and `"42"` are one. */
function hashValue(
  cache: CustomerCache,
  table: TraceTable,
  rows: AttributeRows,
  at: number,
  out: Uint32Array,
): boolean {
  if (at < 0) return false;
  const { bytes } = table;
  const start = rows.words[at + 1] as number;
  const end = rows.words[at + 2] as number;
  const size = end - start - 2;
  if (
    size > 0 &&
    size <= shortLengthMax &&
    bytes[start] === stringTag &&
    bytes[start + 1] === size
  ) {
    cache.hash(table, start + 2, end, out);
    return true;
  }
  const text = textOf(bytes, start, end);
  if (text === "") return false;
  const encoded = utf8.encode(text);
  sipHash24(cache.key, encoded, 0, encoded.length, out);
  return true;
}
