/** An attribute of a span as text, for the few spans of a shape not seen before. */
import { textOf } from "../../wire/any-value.ts";
import {
  type AttributeRows,
  findSlot,
  firstAttribute,
  resourceAttributeRange,
  resourceColumn,
  resourceWords,
  spanWords,
  type TraceTable,
} from "../../wire/trace-table.ts";

/** "" when the span has no such attribute. */
export function spanText(table: TraceTable, span: number, slot: number): string {
  const from = table.spans[span + firstAttribute] as number;
  const to = table.spans[span + spanWords + firstAttribute] as number;
  return textAt(table, table.attributes, findSlot(table.attributes, from, to, slot));
}

/** The same of its resource. */
export function resourceText(table: TraceTable, span: number, slot: number): string {
  const row = (table.spans[span + resourceColumn] as number) * resourceWords;
  const from = table.resources[row + resourceAttributeRange] as number;
  const to = table.resources[row + resourceAttributeRange + 1] as number;
  const rows = table.resourceAttributes;
  return textAt(table, rows, findSlot(rows, from, to, slot));
}

function textAt(table: TraceTable, rows: AttributeRows, at: number): string {
  if (at < 0) return "";
  return textOf(table.bytes, rows.words[at + 1] as number, rows.words[at + 2] as number);
}
