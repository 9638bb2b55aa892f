/** OTLP in JSON: what is no JSON is refused, and what is taken is protobuf that can be read. */
import { jsonOf } from "../../bench/rivals/otlp-decoders.ts";
import { transcodeOtlpJson } from "../../wire/otlp-json.ts";
import { readProduct } from "../wire/span-records.ts";
import { wantedNames } from "../wire/wanted-names.ts";
import type { Fault, Verdicts } from "./otlp-target.ts";

export function makeJsonSeeds(requests: readonly Uint8Array[]): unknown[] {
  return requests.map((bytes) => JSON.parse(jsonOf(bytes)) as unknown);
}

export function checkJson(input: Uint8Array, text: string, verdicts: Verdicts): Fault {
  const transcoded = transcodeOtlpJson(input);
  if (!transcoded.ok) {
    verdicts.refused++;
    return undefined;
  }
  verdicts.accepted++;
  if (!isJson(text)) return "taken, but no JSON";
  const read = readProduct(transcoded.value, wantedNames);
  return typeof read === "string" ? `becomes what cannot be read: ${read}` : undefined;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
