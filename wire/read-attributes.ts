/** Reads the attributes of a span or a resource, checking them and noting where wanted ones are. */
import {
  type AttributeSlots,
  hashOfName,
  noSlot,
  placeOfHash,
  slotFrom,
} from "./attribute-slots.ts";
import { type Located, locateAttribute } from "./locate-field.ts";
import { longAttributeEnd, plainAttributeEnd } from "./plain-attribute.ts";
import { checkedTag, malformed } from "./protobuf.ts";
import {
  type AttributeRows,
  addAttribute,
  attributeWords,
  reserveAttributes,
  type TraceTable,
} from "./trace-table.ts";
import { type Check, checkField } from "./validate-traces.ts";

/** A plain attribute has eight bytes or more. */
const sizeMinShift = 3;

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
  const { view, slots } = walk;
  const { table, shift } = slots;
  const tag = view.getUint8(start);
  // One more than the limit is left to `checkField`, which refuses it.
  const roomFor = walk.limits.attributesMax - walk.attributes;
  reserveAttributes(rows, Math.min(roomFor, (end - start) >> sizeMinShift));
  const { words } = rows;
  let row = rows.count * attributeWords;
  let found = 0;
  let pos = start;
  while (found < roomFor) {
    let nameStart = pos + 4;
    let attributeEnd = plainAttributeEnd(view, pos, end, tag);
    if (attributeEnd === malformed) {
      if (pos >= end || view.getUint8(pos) !== tag) break;
      nameStart = pos + 5;
      attributeEnd = longAttributeEnd(walk.bytes, pos + 1, end);
      if (attributeEnd === malformed) break;
    }
    const size = view.getUint8(nameStart - 1);
    const hash = hashOfName(view, nameStart, size);
    const entry = placeOfHash(hash, shift);
    // Most names are not wanted, and most of those find their place free.
    if (table[entry] !== 0) {
      const slot = slotFrom(slots, entry, hash, view, nameStart, size);
      if (slot !== noSlot) {
        const nameEnd = nameStart + size;
        words[row] = slot;
        words[row + 1] = nameEnd + (view.getUint8(nameEnd + 1) < 0x80 ? 2 : 3);
        words[row + 2] = attributeEnd;
        row += attributeWords;
      }
    }
    found++;
    pos = attributeEnd;
  }
  rows.count = row / attributeWords;
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
