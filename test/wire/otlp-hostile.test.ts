import { isDeepStrictEqual } from "node:util";
import { describe, expect, test } from "vitest";
import { createPrng, type Prng } from "../../base/prng.ts";
import { createAttributeSlots, noSlot, slotAt, slotOf } from "../../wire/attribute-slots.ts";
import { transcodeOtlpJson } from "../../wire/otlp-json.ts";
import { defaultTraceLimits } from "../../wire/validate-traces.ts";
import {
  bytes,
  encodeFields,
  encodeVarint,
  type Field,
  fixed32,
  fixed64,
  group,
  hex,
  hexOf,
  joined,
  message,
  raw,
  text,
  varint,
} from "./proto-tree.ts";
import { readReference } from "./reference-reader.ts";
import { readProduct } from "./span-records.ts";
import { wantedNames } from "./wanted-names.ts";

const MiB = 2 ** 20;
/** Generous for a machine shared with other jobs; the real times are a hundredth of it. */
const hangMs = 2_000;

/** What is said about a request, which must be said soon. */
function check(request: Uint8Array): ReturnType<typeof readProduct> {
  const startMs = performance.now();
  const read = readProduct(request, wantedNames);
  expect(performance.now() - startMs).toBeLessThan(hangMs);
  return read;
}

function sized(tag: number, content: Uint8Array): Uint8Array {
  return joined([Uint8Array.of(tag), encodeVarint(BigInt(content.length)), content]);
}

function repeated(unit: readonly number[], size: number): Uint8Array {
  const all = new Uint8Array(size - (size % unit.length));
  for (let at = 0; at < all.length; at++) all[at] = unit[at % unit.length] as number;
  return all;
}

/** Within resource_spans, scope_spans, spans. */
function inSpan(content: Uint8Array): Uint8Array {
  return sized(0x0a, sized(0x12, sized(0x12, content)));
}

function inValue(content: Uint8Array): Uint8Array {
  return inSpan(sized(0x4a, sized(0x12, content)));
}

/** A value within `depth` values; built from the inside out, a few bytes a level. */
function nested(depth: number, wraps: readonly number[]): Uint8Array {
  const headers: Uint8Array[] = [];
  let size = 0;
  for (let level = 1; level < depth; level++) {
    for (const tag of wraps) {
      const header = joined([Uint8Array.of(tag), encodeVarint(BigInt(size))]);
      headers.push(header);
      size += header.length;
    }
  }
  return joined(headers.reverse());
}

describe("four megabytes of next to nothing", () => {
  test.each<[string, Uint8Array, string]>([
    ["resources", repeated([0x0a, 0], 4 * MiB), "200000 elements"],
    ["scopes", sized(0x0a, repeated([0x12, 0], 4 * MiB)), "200000 elements"],
    ["spans", sized(0x0a, sized(0x12, repeated([0x12, 0], 4 * MiB))), "50000 spans"],
    ["attributes", inSpan(repeated([0x4a, 0], 4 * MiB)), "200000 attributes"],
    [
      "attributes with a value",
      inSpan(repeated([0x4a, 7, 0x0a, 1, 0x61, 0x12, 2, 0x18, 1], 4 * MiB)),
      "200000 attributes",
    ],
    ["events", inSpan(repeated([0x5a, 0], 4 * MiB)), "200000 elements"],
    ["links", inSpan(repeated([0x6a, 0], 4 * MiB)), "200000 elements"],
    ["list values", inValue(sized(0x2a, repeated([0x0a, 0], 4 * MiB))), "200000 elements"],
    ["map values", inValue(sized(0x32, repeated([0x0a, 0], 4 * MiB))), "200000 attributes"],
    [
      "attributes of a resource",
      sized(0x0a, sized(0x0a, repeated([0x0a, 0], 4 * MiB))),
      "200000 attributes",
    ],
  ])("%s exceed a limit", (_, request, limit) => {
    expect(check(request)).toBe(`OTLP_TOO_LARGE: request holds more than ${limit}`);
  });

  test.each<[string, Uint8Array]>([
    ["status messages", inSpan(repeated([0x7a, 0], 4 * MiB))],
    ["unknown fields", inSpan(repeated([0xfa, 0x7f, 0], 4 * MiB))],
    ["unknown groups", repeated([0x7b, 0x7c], 4 * MiB)],
    ["names", inSpan(repeated([0x2a, 0], 4 * MiB))],
    ["tags padded to ten bytes", repeated([0xf8, ...Array(8).fill(0x80), 0, 1], 4 * MiB)],
    ["lists that replace each other", inValue(repeated([0x2a, 0], 4 * MiB))],
  ])("%s cost no more than their bytes", (_, request) => {
    expect(check(request)).toMatchObject({ spans: [] });
  });
});

describe("depth", () => {
  const { depthMax } = defaultTraceLimits;
  const tooDeep = `OTLP_TOO_LARGE: attribute value is nested deeper than ${depthMax}`;
  const lists = [0x0a, 0x2a];
  const maps = [0x12, 0x0a, 0x32];

  test.each<[string, Uint8Array]>([
    ["lists", inValue(nested(100_000, lists))],
    ["maps", inValue(nested(100_000, maps))],
    ["lists one too deep", inValue(nested(depthMax + 1, lists))],
    ["maps one too deep", inValue(nested(depthMax + 1, maps))],
  ])("100,000 of %s", (_, request) => expect(check(request)).toBe(tooDeep));

  test.each<[string, Uint8Array]>([
    ["lists", inValue(nested(depthMax, lists))],
    ["maps", inValue(nested(depthMax, maps))],
  ])("%s as deep as they may be", (_, request) => {
    expect(check(request)).toMatchObject({ rejected: 1 });
  });

  test("a plain value in a map counts as a level too", () => {
    const leaf = sized(0x0a, encodeFields([text(1, "key"), message(2, text(1, "leaf"))]));
    let value = sized(0x32, leaf);
    for (let level = 2; level < depthMax; level++) value = sized(0x2a, sized(0x0a, value));
    expect(check(inValue(value))).toMatchObject({ rejected: 1 });
    expect(check(inValue(sized(0x2a, sized(0x0a, value))))).toBe(tooDeep);
  });

  test("100,000 groups are refused", () => {
    expect(check(repeated([0x7b], 100_000))).toContain("OTLP_INVALID");
  });

  test.each<[string, string]>([
    ["lists", `${'{"arrayValue":{"values":['.repeat(100_000)}`],
    ["closed lists", `${'{"arrayValue":{"values":['.repeat(40)}${"]}}".repeat(40)}`],
  ])("JSON %s", (_, value) => {
    const json = `{"resourceSpans":[{"resource":{"attributes":[{"key":"a","value":${value}}]}}]}`;
    const result = transcodeOtlpJson(new TextEncoder().encode(json));
    expect(result.ok).toBe(false);
  });

  test("JSON of 100,000 levels where nothing is read is walked past", () => {
    const unknown = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;
    const json = `{"unknown":${unknown}}`;
    expect(transcodeOtlpJson(new TextEncoder().encode(json)).ok).toBe(true);
  });
});

describe("names that aim at the slots", () => {
  test("every wanted name is found, and only that", () => {
    const names = ["", "a", "é", ...Array.from({ length: 1000 }, (_, at) => `name.${at}`)];
    const slots = createAttributeSlots(names);
    for (const [slot, name] of names.entries()) {
      const encoded = new TextEncoder().encode(name);
      expect(slotAt(slots, new DataView(encoded.buffer), 0, encoded.length)).toBe(slot);
      const longer = new TextEncoder().encode(`${name}!`);
      expect(slotAt(slots, new DataView(longer.buffer), 0, longer.length)).toBe(noSlot);
      if (encoded.length > 0) {
        encoded[0] = (encoded[0] as number) ^ 1;
        const changed = new TextDecoder().decode(encoded);
        expect(slotAt(slots, new DataView(encoded.buffer), 0, encoded.length)).toBe(
          names.indexOf(changed),
        );
      }
    }
  });

  test("a name that comes twice has one slot, a name unknown has none", () => {
    const slots = createAttributeSlots(["a", "b", "a"]);
    const encoded = new TextEncoder().encode("a");
    expect(slotAt(slots, new DataView(encoded.buffer), 0, 1)).toBe(0);
    expect(slotOf(slots, "b")).toBe(1);
    expect(slotOf(slots, "__proto__")).toBe(noSlot);
  });

  test("100,000 names with the length and end of a wanted one cost no more than others", () => {
    const request = (name: (at: number) => string): Uint8Array =>
      inSpan(
        encodeFields(
          Array.from({ length: 100_000 }, (_, at) =>
            message(9, text(1, name(at)), message(2, varint(3, 1))),
          ),
        ),
      );
    const alike = request((at) => `${String(at).padStart(6, "0")}oute`);
    expect(check(alike)).toMatchObject({ rejected: 1 });
  });
});

describe("mutants of valid requests", () => {
  const rounds = 20_000;
  const seed = 20_26;

  test(`${rounds} of them: the same verdict and spans as the reference reader`, () => {
    const prng = createPrng(seed);
    const seeds = [seedRequest(1), seedRequest(2), seedRequest(5)];
    const verdicts = { accepted: 0, refused: 0 };
    let slowestMs = 0;
    for (let round = 0; round < rounds; round++) {
      const mutant = mutate(prng.pick(seeds), prng);
      const startMs = performance.now();
      const read = readProduct(mutant, wantedNames);
      slowestMs = Math.max(slowestMs, performance.now() - startMs);
      const expected = referenceVerdict(mutant);
      const seen =
        typeof read === "string" ? undefined : { spans: read.spans, rejected: read.rejected };
      if (!isDeepStrictEqual(seen, expected)) {
        expect(seen, `round ${round} of seed ${seed}: ${hexOf(mutant)}`).toEqual(expected);
      }
      if (seen === undefined) verdicts.refused++;
      else verdicts.accepted++;
    }
    expect(slowestMs).toBeLessThan(hangMs);
    expect(verdicts.accepted).toBeGreaterThan(rounds / 10);
    expect(verdicts.refused).toBeGreaterThan(rounds / 10);
  });
});

function referenceVerdict(request: Uint8Array): ReturnType<typeof readReference> | undefined {
  try {
    return readReference(request, wantedNames);
  } catch {
    return undefined;
  }
}

function seedRequest(spans: number): Field[] {
  const span = (at: number): Field =>
    message(
      2,
      ...[bytes(1, hex("5b8efff798038103d269b633813fc60c")), varint(6, at % 6)],
      ...[bytes(2, hex(`eee19b7ec3c1b1${String(at).padStart(2, "0")}`)), text(5, "name")],
      ...[fixed64(7, 1_700_000_000_000_000_000n), fixed64(8, 1_700_000_000_000_500_000n)],
      ...[message(9, text(1, "a"), message(2, varint(3, at)))],
      ...[message(9, text(1, "http.route"), message(2, text(1, "/cart")))],
      ...[message(9, text(1, "abc"), message(2, message(5, message(1, varint(2, 1)))))],
      ...[message(11, fixed64(1, 1n), text(2, "event")), message(15, varint(3, at % 3))],
      ...[message(13, bytes(1, new Uint8Array(16).fill(7)), bytes(2, new Uint8Array(8).fill(7)))],
      fixed32(16, 0x100),
    );
  const resource = message(1, message(1, text(1, "service.name"), message(2, text(1, "shop"))));
  const all = Array.from({ length: spans }, (_, at) => span(at));
  return [message(1, resource, message(2, message(1, text(1, "scope")), ...all))];
}

/** One to three changes of the tree, and now and then one of its bytes. */
function mutate(request: readonly Field[], prng: Prng): Uint8Array {
  let fields = request;
  for (let changes = 1 + prng.integer(3); changes > 0; changes--) {
    fields = mutateSomewhere(fields, prng);
  }
  const encoded = encodeFields(fields).slice();
  if (encoded.length === 0 || prng.integer(3) > 0) return encoded;
  const at = prng.integer(encoded.length);
  if (prng.integer(4) === 0) return encoded.subarray(0, at);
  encoded[at] = prng.pick([0, 1, 0x7f, 0x80, 0xff, prng.integer(256)]);
  return encoded;
}

function mutateSomewhere(fields: readonly Field[], prng: Prng): readonly Field[] {
  if (fields.length === 0) return [randomField(prng)];
  const at = prng.integer(fields.length);
  const chosen = fields[at] as Field;
  const replaced = (...by: readonly Field[]): Field[] => [
    ...fields.slice(0, at),
    ...by,
    ...fields.slice(at + 1),
  ];
  if ("message" in chosen.value && prng.integer(5) > 0) {
    return replaced(message(chosen.field, ...mutateSomewhere(chosen.value.message, prng)));
  }
  switch (prng.integer(7)) {
    case 0:
      return replaced();
    case 1:
      return replaced(chosen, chosen);
    case 2:
      return replaced(chosen, prng.pick(fields));
    case 3:
      return replaced({ ...chosen, field: 1 + prng.integer(18) });
    case 4:
      return replaced({ ...randomField(prng), field: chosen.field });
    case 5:
      return [...replaced(), chosen];
    default:
      return replaced(randomField(prng), chosen);
  }
}

function randomField(prng: Prng): Field {
  const field = prng.pick([1, 2, 3, 5, 9, 13, 15, 16, 100, 2 ** 29 - 1]);
  switch (prng.integer(8)) {
    case 0:
      return varint(field, prng.pick([0n, 1n, -1n, 2n ** 63n, 2n ** 69n, 300n]), prng.integer(3));
    case 1:
      return fixed64(field, prng.pick([0n, 2n ** 64n - 1n]));
    case 2:
      return fixed32(field, prng.integer(2 ** 32));
    case 3:
      return bytes(field, new Uint8Array(prng.pick([0, 1, 7, 8, 9, 16, 17, 200])).fill(0xc3));
    case 4:
      return text(field, prng.pick([...wantedNames]));
    case 5:
      return group(field, varint(1, 1), group(3, text(2, "x")));
    case 6:
      return message(field, text(1, "a"), message(2, varint(3, -1)));
    default:
      return raw(field, prng.integer(8), Array(prng.integer(12)).fill(0x80));
  }
}
