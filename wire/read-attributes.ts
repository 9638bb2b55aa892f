/** Reads the attributes of a span or a resource, checking them and noting where wanted ones are. */
import { type AttributeSlots, noSlot, slotAt } from "./attribute-slots.ts";
import { type Located, locateAttribute } from "./locate-field.ts";
import { longAttributeEnd, plainAttributeEnd } from "./plain-attribute.ts";
import { checkedTag, malformed } from "./protobuf.ts";
import { type AttributeRows, addAttribute, type TraceTable } from "./trace-table.ts";
import { type Check, checkField } from "./validate-traces.ts";

/** A check that notes what it finds. */
export interface Walk extends Check {
  readonly table: TraceTable;
  readonly slots: AttributeSlots;
  readonly located: Located;
}

/** Notes the plain attributes from `start` on that carry its tag; gives where they end. */
export function readPlainAttributes(
  walk: Walk,
  start: number,
  end: number,
  rows: AttributeRows,
): number {
  const { bytes, view, slots } = walk;
  const tag = bytes[start] as number;
  // One more than the limit is left to `checkField`, which refuses it.
  const roomFor = walk.limits.attributesMax - walk.attributes;
  let found = 0;
  let pos = start;
  while (found < roomFor) {
    let nameStart = pos + 4;
    let attributeEnd = plainAttributeEnd(view, pos, end, tag);
    if (attributeEnd === malformed) {
      if (pos >= end || bytes[pos] !== tag) break;
      nameStart = pos + 5;
      attributeEnd = longAttributeEnd(bytes, pos + 1, end);
      if (attributeEnd === malformed) break;
    }
    const nameEnd = nameStart + (bytes[nameStart - 1] as number);
    const slot = slotAt(slots, view, nameStart, nameEnd);
    if (slot !== noSlot) {
      const valueStart = nameEnd + ((bytes[nameEnd + 1] as number) < 0x80 ? 2 : 3);
      addAttribute(rows, slot, valueStart, attributeEnd);
    }
    found++;
    pos = attributeEnd;
  }
  walk.attributes += found;
  return pos;
}

/** One attribute of any layout, or a run of plain ones. */
export function readAttributes(
  walk: Walk,
  message: number,
  end: number,
  rows: AttributeRows,
): boolean {
  const start = walk.pos;
  walk.pos = readPlainAttributes(walk, start, end, rows);
  if (walk.pos !== start) return true;
  if (!checkField(walk, message, end)) return false;
  const fieldEnd = walk.pos;
  walk.pos = start;
  // One check may have stepped over several of them.
  while (walk.pos < fieldEnd) {
    const { slots, located } = walk;
    locateAttribute(walk.table, slots, walk, located);
    if (located.slot !== noSlot) addAttribute(rows, located.slot, located.start, located.end);
  }
  walk.pos = fieldEnd;
  return true;
}

/** The next tag, however it is padded; the position stays. */
export function tagAt(walk: Walk, end: number): number {
  const byte = walk.bytes[walk.pos] as number;
  if (byte < 0x80) return byte;
  const start = walk.pos;
  const tag = checkedTag(walk, end);
  walk.pos = start;
  return tag;
}
