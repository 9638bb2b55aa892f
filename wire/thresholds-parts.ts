/**
 * Puts thresholds together that come in several retained messages, in any order and with parts of
 * earlier revisions among them: whatever part 0 counts, once all of its revision are there.
 */
import { ok, type Result, refuse } from "../base/result.ts";
import { parseThresholds, type Threshold, type Thresholds } from "./agent-link.ts";
import {
  type MqttMessage,
  mqttPacketBytesMax,
  parseJson,
  thresholdsPartOf,
} from "./mqtt-messages.ts";

interface Part {
  readonly revision: number;
  readonly parts: number;
  readonly items: readonly Threshold[];
}

export class ThresholdsParts {
  /** The newest message of each part; `thresholdsPartOf` bounds how many there are. */
  readonly #parts = new Map<number, Part>();

  /** Takes one message; gives the thresholds when they are whole with it. */
  add({ topic, payload }: MqttMessage): Result<Thresholds | undefined> {
    const index = thresholdsPartOf(topic);
    if (index === undefined) return refuse("BATCH_INVALID", `${topic} has no thresholds`);
    // An empty retained message is how one is taken away.
    if (payload.length === 0) {
      this.#parts.delete(index);
      return ok(undefined);
    }
    const raw = parseJson(payload, mqttPacketBytesMax);
    if (!raw.ok) return raw;
    const thresholds = parseThresholds(raw.value);
    if (!thresholds.ok) return thresholds;
    const { parts } = raw.value as { readonly parts?: unknown };
    if (!Number.isSafeInteger(parts) || (parts as number) < 1) {
      return refuse("BATCH_INVALID", "parts must be a whole number from 1");
    }
    this.#parts.set(index, { ...thresholds.value, parts: parts as number });
    return ok(this.#whole());
  }

  #whole(): Thresholds | undefined {
    const first = this.#parts.get(0);
    if (first === undefined) return undefined;
    const items: (readonly Threshold[])[] = [];
    for (let index = 0; index < first.parts; index++) {
      const part = this.#parts.get(index);
      if (part === undefined || part.revision !== first.revision) return undefined;
      items.push(part.items);
    }
    return { revision: first.revision, items: items.flat() };
  }
}
