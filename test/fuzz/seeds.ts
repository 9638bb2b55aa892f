/** Valid OTLP requests to start from, as trees: small, and between them of every shape. */
import { createPrng, type Prng } from "../../base/prng.ts";
import { bytes, type Field, fixed32, fixed64, message, text, varint } from "../wire/proto-tree.ts";
import { wantedNames } from "../wire/wanted-names.ts";

/** The start of a window, and the clock of whoever reads these. */
export const fuzzStartMs = 1_800_000_000_000;
const startNs = BigInt(fuzzStartMs) * 1_000_000n;

const names = [
  ...wantedNames,
  "http.response.status_code",
  "http.response.status_codes",
  "db.system.name",
  "db.query.summary",
  "server.address",
  "messaging.system",
  "messaging.destination.name",
  "rpc.system.name",
  "rpc.method",
  "error.type",
  "unheard.of",
];
const texts = ["", "GET", "/cart/{id}", "größe", "x".repeat(130), "(other)", "__proto__", "42"];

export function makeSeeds(seed: number, count: number): Field[][] {
  const prng = createPrng(seed);
  return Array.from({ length: count }, () => requestOf(prng));
}

function requestOf(prng: Prng): Field[] {
  const resources = prng.pick([1, 1, 1, 2]);
  const ids = Array.from({ length: 4 }, () => idOf(prng, 8));
  return Array.from({ length: resources }, () => {
    const spans = Array.from({ length: prng.pick([0, 1, 1, 2, 3]) }, () =>
      message(2, ...spanOf(prng, ids)),
    );
    const resource = message(1, ...attributesOf(prng, 1, prng.integer(3)));
    const scope = message(1, text(1, "scope"), text(2, "1"));
    const scopeSpans = message(2, ...(prng.integer(2) === 0 ? [scope] : []), ...spans);
    // Its resource may follow the spans.
    return message(1, ...(prng.integer(4) === 0 ? [scopeSpans, resource] : [resource, scopeSpans]));
  });
}

function spanOf(prng: Prng, ids: readonly Uint8Array[]): Field[] {
  const from = startNs + BigInt(prng.integer(4_000_000_000));
  return [
    bytes(1, new Uint8Array(16).fill(1 + prng.integer(3))),
    bytes(2, prng.integer(3) === 0 ? prng.pick(ids) : idOf(prng, 8)),
    ...(prng.integer(2) === 0 ? [bytes(4, prng.pick(ids))] : []),
    text(5, prng.pick(["GET", "query", "", "p".repeat(140)])),
    varint(6, prng.integer(6)),
    fixed64(7, from),
    fixed64(8, from + BigInt(prng.integer(2 ** 31))),
    ...attributesOf(prng, 9, prng.integer(5)),
    ...(prng.integer(4) === 0 ? [message(11, fixed64(1, from), text(2, "exception"))] : []),
    ...(prng.integer(4) === 0 ? [linkOf(prng, ids)] : []),
    ...(prng.integer(3) === 0 ? [message(15, text(2, "why"), varint(3, prng.integer(3)))] : []),
    ...(prng.integer(4) === 0 ? [text(3, prng.pick(["ot=th:8", "ot=th:c", "a=b"]))] : []),
    ...(prng.integer(3) === 0 ? [fixed32(16, prng.pick([0x100, 0x300, 1]))] : []),
  ];
}

function linkOf(prng: Prng, ids: readonly Uint8Array[]): Field {
  return message(13, bytes(1, new Uint8Array(16).fill(2)), bytes(2, prng.pick(ids)));
}

function attributesOf(prng: Prng, field: number, count: number): Field[] {
  return Array.from({ length: count }, () =>
    message(field, text(1, prng.pick(names)), message(2, anyValueOf(prng, 0))),
  );
}

/** The one field of an AnyValue. */
export function anyValueOf(prng: Prng, depth: number): Field {
  switch (prng.integer(depth < 3 ? 8 : 5)) {
    case 0:
    case 1:
      return text(1, prng.pick(texts));
    case 2:
      return varint(2, prng.integer(2));
    case 3:
      return varint(3, prng.pick([0, 200, 503, -1, 2 ** 40]));
    case 4:
      return fixed64(4, prng.pick([0n, 0x3ff0000000000000n, 0x7ff8000000000000n]));
    case 5:
      return bytes(7, new Uint8Array(prng.integer(5)));
    case 6:
      return message(5, message(1, anyValueOf(prng, depth + 1)));
    default:
      return message(6, message(1, text(1, "k"), message(2, anyValueOf(prng, depth + 1))));
  }
}

function idOf(prng: Prng, size: number): Uint8Array {
  return Uint8Array.from({ length: size }, () => 1 + prng.integer(255));
}
