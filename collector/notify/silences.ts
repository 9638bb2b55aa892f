/**
 * Silences: matchers with an end. While one is in force, nobody is told of the incidents it
 * matches; who was told before that one fires is still told when it is resolved.
 *
 * One file holds them all, replaced as a whole. Bound: `silencesMax`; more are refused.
 */
import { randomUUID } from "node:crypto";
import type { Clock } from "../../base/clock.ts";
import type { Disk } from "../../base/disk.ts";
import { writeAtomically } from "../../base/files.ts";
import type { Meter } from "../../base/meter.ts";
import { frameRecord, scanRecords } from "../../base/records.ts";
import { ok, type Result, refuse } from "../../base/result.ts";
import type { Matcher, Silence } from "../../wire/alerts.ts";
import type { Incident } from "../../wire/api-types.ts";
import { hasAll, traitsOf } from "./traits.ts";

export interface SilencesOptions {
  /** Is there. */
  readonly directory: string;
  readonly disk: Disk;
  readonly clock: Clock;
  readonly meter: Meter;
}

export const silencesMax = 1_000;
const matchersMax = 16;
const nameSizeMax = 128;
const textSizeMax = 512;
const durationMsMax = 366 * 24 * 3_600_000;
const requestFields = ["matchers", "endsAtMs", "comment"];

export class Silences {
  readonly #options: SilencesOptions;
  /** The last to end first. */
  #silences: readonly Silence[] = [];
  /** Changes one after the other: each writes what the one before has left. */
  #chain: Promise<unknown> = Promise.resolve();

  constructor(options: SilencesOptions) {
    this.#options = options;
    options.meter.gauge("brunt_notifier_silences", "silences in force", () => this.list().length);
  }

  async recover(): Promise<void> {
    const bytes = await this.#options.disk.read(this.#path);
    const payload = bytes === undefined ? undefined : scanRecords(bytes).payloads[0];
    if (payload === undefined) return;
    this.#silences = JSON.parse(Buffer.from(payload).toString("utf8")) as readonly Silence[];
  }

  get #path(): string {
    return `${this.#options.directory}/silences`;
  }

  /** Those in force, the first to end first. */
  list(): readonly Silence[] {
    const nowMs = this.#options.clock.nowMs();
    return this.#silences.filter(({ endsAtMs }) => endsAtMs > nowMs).reverse();
  }

  /** When the last silence that matches ends; undefined when none is in force. */
  untilMs(traits: readonly Matcher[]): number | undefined {
    const nowMs = this.#options.clock.nowMs();
    for (const { endsAtMs, matchers } of this.#silences) {
      if (endsAtMs <= nowMs) return undefined;
      if (hasAll(traits, matchers)) return endsAtMs;
    }
    return undefined;
  }

  /** The incident with the end of its silence, if it has one. */
  mark<T extends Incident>(incident: T): T {
    if (incident.status !== "firing") return incident;
    const silencedUntilMs = this.untilMs(traitsOf(incident));
    return silencedUntilMs === undefined ? incident : { ...incident, silencedUntilMs };
  }

  /** Adds one, durably. @throws STORE_WRITE */
  add(raw: unknown): Promise<Result<Silence>> {
    return this.#oneByOne(async () => {
      const nowMs = this.#options.clock.nowMs();
      const request = parseSilence(raw, nowMs);
      if (!request.ok) return request;
      const inForce = this.list();
      if (inForce.length >= silencesMax) {
        const message = `there are ${silencesMax} silences; delete one, or let one end`;
        return refuse("SILENCES_FULL", message);
      }
      const silence: Silence = { id: randomUUID(), ...request.value, createdAtMs: nowMs };
      await this.#save([...inForce, silence]);
      return ok(silence);
    });
  }

  /** Ends one, durably; false when there is none of this id. @throws STORE_WRITE */
  remove(id: string): Promise<boolean> {
    return this.#oneByOne(async () => {
      const inForce = this.list();
      const left = inForce.filter((silence) => silence.id !== id);
      if (left.length < inForce.length) await this.#save(left);
      return left.length < inForce.length;
    });
  }

  async #save(unsorted: readonly Silence[]): Promise<void> {
    const { disk } = this.#options;
    const silences = [...unsorted].sort((a, b) => b.endsAtMs - a.endsAtMs);
    const payload = Buffer.from(JSON.stringify(silences));
    await writeAtomically(disk, this.#path, frameRecord(payload));
    this.#silences = silences;
  }

  #oneByOne<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#chain.then(work);
    this.#chain = done.catch(() => {});
    return done;
  }
}

type SilenceRequest = Pick<Silence, "matchers" | "endsAtMs" | "comment">;

/** What somebody asks for, or the first thing that is wrong with it. */
function parseSilence(raw: unknown, nowMs: number): Result<SilenceRequest> {
  const request = objectOf(raw);
  if (request === undefined) return refuse("SILENCE_INVALID", "a silence must be a JSON object");
  const unknown = Object.keys(request).find((name) => !requestFields.includes(name));
  if (unknown !== undefined) {
    const known = requestFields.join(", ");
    return refuse("SILENCE_INVALID", `${JSON.stringify(unknown)} is not known; known are ${known}`);
  }
  const { matchers, endsAtMs, comment = "" } = request;
  if (!Array.isArray(matchers) || matchers.length === 0 || matchers.length > matchersMax) {
    return refuse("SILENCE_INVALID", `matchers must be a list of 1 to ${matchersMax}`);
  }
  const parsed = matchers.map(parseMatcher);
  const wrong = parsed.indexOf(undefined);
  if (wrong >= 0) {
    const message = `matchers[${wrong}] must be a name, service, operation or an attribute's, of 1 to ${nameSizeMax} characters and a value of at most ${textSizeMax}`;
    return refuse("SILENCE_INVALID", message);
  }
  const isTime = typeof endsAtMs === "number" && Number.isInteger(endsAtMs);
  if (!isTime || endsAtMs <= nowMs || endsAtMs > nowMs + durationMsMax) {
    const message = `endsAtMs must be epoch milliseconds from ${nowMs + 1} to ${nowMs + durationMsMax}, not ${JSON.stringify(endsAtMs)}`;
    return refuse("SILENCE_INVALID", message);
  }
  if (typeof comment !== "string" || comment.length > textSizeMax) {
    return refuse("SILENCE_INVALID", `comment must be a text of at most ${textSizeMax} characters`);
  }
  return ok({ matchers: parsed as Matcher[], endsAtMs, comment });
}

function parseMatcher(raw: unknown): Matcher | undefined {
  const { name, value, ...rest } = objectOf(raw) ?? {};
  if (typeof name !== "string" || name === "" || name.length > nameSizeMax) return undefined;
  if (typeof value !== "string" || value.length > textSizeMax) return undefined;
  return Object.keys(rest).length === 0 ? { name, value } : undefined;
}

function objectOf(raw: unknown): Readonly<Record<string, unknown>> | undefined {
  const isObject = typeof raw === "object" && raw !== null && !Array.isArray(raw);
  return isObject ? (raw as Readonly<Record<string, unknown>>) : undefined;
}
