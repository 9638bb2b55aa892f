/**
 * Keeps the digits of 64-bit integers that a sender wrote as JSON numbers, which JSON.parse would
 * round: before parsing they become `{"":"<digits>"}`, a shape that passes for nothing else. Text
 * within strings is left alone. (From Node 21 on a reviver sees the source; the floor is 20.)
 */
const longInteger = /(?<![\d.eE+-])-?[1-9]\d{15,}(?![\d.eE])(?!\s*:)/g;
const mayHold = /[:[,]\s*-?\d{16}/;

/** `text` with integers of 16 digits and more wrapped; whether it is JSON is not judged. */
export function wrapLongIntegers(text: string): string {
  if (!mayHold.test(text)) return text;
  const parts: string[] = [];
  let start = 0;
  while (start < text.length) {
    const open = text.indexOf('"', start);
    const outside = open < 0 ? text.slice(start) : text.slice(start, open);
    parts.push(outside.replace(longInteger, '{"":"$&"}'));
    if (open < 0) break;
    const end = endOfString(text, open);
    parts.push(text.slice(open, end));
    start = end;
  }
  return parts.join("");
}

/** Just past the string that opens at `open`; the end of the text when it does not close. */
function endOfString(text: string, open: number): number {
  let close = text.indexOf('"', open + 1);
  while (close >= 0) {
    let escapes = 0;
    while (text.charCodeAt(close - 1 - escapes) === 0x5c) escapes++;
    if (escapes % 2 === 0) return close + 1;
    close = text.indexOf('"', close + 1);
  }
  return text.length;
}

/** The digits of a wrapped integer; undefined for anything else. */
export function digitsOfWrapped(raw: unknown): string | undefined {
  if (typeof raw !== "object" || raw === null || !Object.hasOwn(raw, "")) return undefined;
  const digits: unknown = (raw as { "": unknown })[""];
  return typeof digits === "string" && /^-?[1-9]\d{15,}$/.test(digits) ? digits : undefined;
}
