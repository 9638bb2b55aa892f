/**
 * Changes valid input where it has a structure: fields of a message are dropped, doubled, moved,
 * renumbered, nested, given values at the edges of what their type holds; and, now and then, bytes
 * of what comes out are.
 */
import type { Prng } from "../../base/prng.ts";
import {
  bytes,
  encodeFields,
  encodeVarint,
  type Field,
  fixed32,
  fixed64,
  group,
  joined,
  message,
  raw,
  text,
  varint,
} from "../wire/proto-tree.ts";
import { wantedNames } from "../wire/wanted-names.ts";
import { anyValueOf } from "./seeds.ts";

const edgeVarints = [
  0n,
  1n,
  -1n,
  127n,
  128n,
  2n ** 31n,
  2n ** 32n,
  2n ** 53n,
  2n ** 63n,
  2n ** 69n,
];
const edgeFixed64 = [0n, 1n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n];
const edgeSizes = [0, 1, 7, 8, 9, 15, 16, 17, 127, 128, 200];
const fieldNumbers = [1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 13, 15, 16, 17, 31, 32, 100, 2 ** 29 - 1];

/** One to three changes of a tree, then perhaps one of its bytes. */
export function mutateRequest(
  request: readonly Field[],
  others: readonly (readonly Field[])[],
  prng: Prng,
): Uint8Array {
  let fields = request;
  for (let changes = 1 + prng.integer(3); changes > 0; changes--) {
    fields = changeSomewhere(fields, others, prng);
  }
  const encoded = encodeFields(fields);
  return prng.integer(3) === 0 ? mutateBytes(encoded, prng) : encoded;
}

function changeSomewhere(
  fields: readonly Field[],
  others: readonly (readonly Field[])[],
  prng: Prng,
): readonly Field[] {
  if (fields.length === 0) return [randomField(prng)];
  const at = prng.integer(fields.length);
  const chosen = fields[at] as Field;
  const replaced = (...by: readonly Field[]): Field[] => [
    ...fields.slice(0, at),
    ...by,
    ...fields.slice(at + 1),
  ];
  if ("message" in chosen.value && prng.integer(6) > 0) {
    return replaced(message(chosen.field, ...changeSomewhere(chosen.value.message, others, prng)));
  }
  switch (prng.integer(11)) {
    case 0:
      return replaced();
    case 1:
      return replaced(chosen, chosen);
    case 2:
      return replaced(chosen, prng.pick(fields));
    case 3:
      return replaced({ ...chosen, field: prng.pick(fieldNumbers) });
    case 4:
      return replaced({ ...randomField(prng), field: chosen.field });
    case 5:
      return [...replaced(), chosen];
    case 6:
      return replaced(group(chosen.field, chosen));
    case 7:
      return replaced(message(chosen.field, chosen));
    case 8:
      return replaced(chosen, ...prng.pick(others));
    case 9:
      return replaced(edgeOf(chosen, prng));
    default:
      return replaced(randomField(prng), chosen);
  }
}

/** The same field with a value at an edge of its type. */
function edgeOf({ field, value }: Field, prng: Prng): Field {
  if ("varint" in value) return varint(field, prng.pick(edgeVarints), prng.integer(3));
  if ("fixed64" in value) return fixed64(field, value.fixed64 + prng.pick([1n, -1n, 10n ** 9n]));
  if ("fixed32" in value) return fixed32(field, prng.integer(2 ** 32));
  if ("bytes" in value || "text" in value) return randomBytes(field, prng);
  return message(field, anyValueOf(prng, 0), anyValueOf(prng, 0));
}

function randomField(prng: Prng): Field {
  const field = prng.pick(fieldNumbers);
  switch (prng.integer(9)) {
    case 0:
      return varint(field, prng.pick(edgeVarints), prng.integer(9));
    case 1:
      return fixed64(field, prng.pick(edgeFixed64));
    case 2:
      return fixed32(field, prng.integer(2 ** 32));
    case 3:
      return randomBytes(field, prng);
    case 4:
      return text(field, prng.pick([...wantedNames]));
    case 5:
      return group(field, varint(1, 1), group(3, text(2, "x")));
    case 6:
      return message(field, text(1, "a"), message(2, anyValueOf(prng, 0)));
    case 7:
      return deepValue(field, prng.pick([2, 31, 32, 33, 60]));
    default:
      return raw(field, prng.integer(8), Array(prng.integer(12)).fill(0x80));
  }
}

/** Often no UTF-8. */
function randomBytes(field: number, prng: Prng): Field {
  const fill = prng.pick([0, 0x41, 0xc3, 0xff]);
  return bytes(field, new Uint8Array(prng.pick(edgeSizes)).fill(fill));
}

function deepValue(field: number, depth: number): Field {
  let value = text(1, "leaf");
  for (let level = 1; level < depth; level++) value = message(5, message(1, value));
  return message(field, text(1, "a"), message(2, value));
}

/** Cuts, flips, inserts, repeats, or puts a number where none was. */
export function mutateBytes(encoded: Uint8Array, prng: Prng): Uint8Array {
  const changed = encoded.slice();
  if (changed.length === 0) return Uint8Array.of(prng.integer(256));
  const at = prng.integer(changed.length);
  const end = Math.min(changed.length, at + 1 + prng.integer(16));
  switch (prng.integer(7)) {
    case 0:
      return changed.subarray(0, at);
    case 1:
      changed[at] = (changed[at] as number) ^ (1 << prng.integer(8));
      return changed;
    case 2:
      changed[at] = prng.pick([0, 1, 0x7f, 0x80, 0xff, prng.integer(256)]);
      return changed;
    case 3:
      return joined([changed.subarray(0, at), changed.subarray(end)]);
    case 4:
      return joined([changed.subarray(0, end), changed.subarray(at)]);
    case 5:
      return joined([
        changed.subarray(0, at),
        encodeVarint(prng.pick(edgeVarints), prng.integer(3)),
        changed.subarray(prng.integer(2) === 0 ? at : varintEnd(changed, at)),
      ]);
    default:
      return joined([
        changed.subarray(0, at),
        Uint8Array.from({ length: 1 + prng.integer(4) }, () => prng.integer(256)),
        changed.subarray(at),
      ]);
  }
}

function varintEnd(encoded: Uint8Array, at: number): number {
  let end = at;
  while (end < encoded.length - 1 && (encoded[end] as number) >= 0x80) end++;
  return end + 1;
}

/** JSON with one to three values changed, and sometimes a character of its text. */
export function mutateJson(value: unknown, prng: Prng): string {
  let changed = value;
  for (let changes = 1 + prng.integer(3); changes > 0; changes--) {
    changed = changeJson(changed, prng);
  }
  const json = JSON.stringify(changed) ?? "";
  if (prng.integer(3) > 0 || json.length === 0) return json;
  const at = prng.integer(json.length);
  const inserted = prng.pick(["", '"', "{", "]", ",", "\\u12", "1e999", "-", "\u0000"]);
  return json.slice(0, at) + inserted + json.slice(at + prng.integer(3));
}

const jsonValues: readonly unknown[] = [
  ...[null, true, "", "x", -1, 0.5, 2 ** 53, "18446744073709551615", "-9223372036854775808"],
  ...["18446744073709551616", "0x10", " 1", "1e3", "NaN", "00", [], {}, [[]], { a: 1 }],
];

function changeJson(value: unknown, prng: Prng): unknown {
  const isList = Array.isArray(value);
  if (typeof value !== "object" || value === null) return prng.pick(jsonValues);
  const entries = Object.entries(value);
  if (entries.length === 0 || prng.integer(8) === 0) return prng.pick(jsonValues);
  const at = prng.integer(entries.length);
  const [name, inner] = entries[at] as [string, unknown];
  switch (prng.integer(8)) {
    case 0:
      entries.splice(at, 1);
      break;
    case 1:
      entries.push([`${name}_`, inner]);
      break;
    case 2:
      entries.push([prng.pick(["__proto__", "toString", "traceId", "kind", "value"]), inner]);
      break;
    default:
      entries[at] = [name, changeJson(inner, prng)];
  }
  return isList ? entries.map(([, each]) => each) : Object.fromEntries(entries);
}
