/**
 * The bytes of one simulated file: what processes see, what survives a power cut for certain, and
 * the changes in between, of which a power cut keeps any part.
 */
import type { Prng } from "../../base/prng.ts";
import { happens } from "./chance.ts";

/** A disk writes sectors whole; smaller ones here, so that small records tear too. */
const sectorSize = 64;

type Change =
  | { readonly kind: "write"; readonly position: number; readonly bytes: Uint8Array }
  | { readonly kind: "truncate"; readonly size: number };

export class FileImage {
  readonly #live = new GrowingBytes();
  readonly #durable = new GrowingBytes();
  #changes: Change[] = [];
  /** Changes that are on the disk, or never will be. */
  #settledCount = 0;

  get size(): number {
    return this.#live.size;
  }

  /** Changes so far; a sync that began now makes these durable. */
  get changeCount(): number {
    return this.#settledCount + this.#changes.length;
  }

  read(from: number, to: number): Uint8Array {
    return this.#live.slice(from, Math.min(to, this.#live.size));
  }

  write(position: number, bytes: Uint8Array): void {
    this.#change({ kind: "write", position, bytes: bytes.slice() });
  }

  truncate(size: number): void {
    if (size !== this.#live.size) this.#change({ kind: "truncate", size });
  }

  #change(change: Change): void {
    apply(this.#live, change);
    this.#changes.push(change);
  }

  /** Makes the first `count` changes ever made durable. */
  sync(count: number): void {
    for (const change of this.#settle(count)) apply(this.#durable, change);
  }

  #settle(count: number): Change[] {
    const settled = this.#changes.splice(0, Math.max(0, count - this.#settledCount));
    this.#settledCount += settled.length;
    return settled;
  }

  /**
   * A sync that failed: the system takes the pages for clean from now on, so no later sync writes
   * them; which of them are on the disk is chance.
   */
  failSync(prng: Prng): void {
    for (const change of this.#settle(this.changeCount)) applySome(this.#durable, change, prng);
  }

  /** The power is cut: any part of what was not synced is there, the rest never was. */
  cutPower(prng: Prng): void {
    for (const change of this.#settle(this.changeCount)) applySome(this.#durable, change, prng);
    this.#live.become(this.#durable);
  }
}

function apply(bytes: GrowingBytes, change: Change): void {
  if (change.kind === "truncate") bytes.resize(change.size);
  else bytes.write(change.position, change.bytes);
}

/** None of a change, all of it, its beginning, or sectors here and there with zeros between. */
function applySome(target: GrowingBytes, change: Change, prng: Prng): void {
  const fate = prng.pick(["none", "all", "beginning", "sectors"] as const);
  if (fate === "none") return;
  if (fate === "all" || change.kind === "truncate") {
    apply(target, change);
    return;
  }
  const { position, bytes } = change;
  if (fate === "beginning") {
    target.write(position, bytes.subarray(0, prng.integer(bytes.length + 1)));
    return;
  }
  for (let at = 0; at < bytes.length; at += sectorSize) {
    const sector = bytes.subarray(at, at + sectorSize);
    if (happens(prng, 0.5)) target.write(position + at, sector);
  }
}

class GrowingBytes {
  #bytes = new Uint8Array(0);
  size = 0;

  /** Fills what lies before `position` and was never written with zeros, as a file does. */
  write(position: number, bytes: Uint8Array): void {
    const end = position + bytes.length;
    if (end > this.size) this.resize(end);
    this.#bytes.set(bytes, position);
  }

  resize(size: number): void {
    if (size > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(size, 2 * this.#bytes.length));
      grown.set(this.#bytes.subarray(0, this.size));
      this.#bytes = grown;
    } else if (size < this.size) {
      this.#bytes.fill(0, size, this.size);
    }
    this.size = size;
  }

  slice(from: number, to: number): Uint8Array {
    return this.#bytes.slice(from, Math.max(from, to));
  }

  become(other: GrowingBytes): void {
    this.#bytes = other.#bytes.slice(0, other.size);
    this.size = other.size;
  }
}
