/**
 * The names in one simulated directory, live and durable, as `FileImage` has bytes. A rename is one
 * change: a power cut leaves the old name or the new one.
 */
import type { Prng } from "../../base/prng.ts";
import { happens } from "./chance.ts";
import type { FileImage } from "./file-image.ts";

export type Entry = FileImage | DirectoryImage;

interface NameChange {
  readonly remove?: string;
  readonly add?: readonly [name: string, entry: Entry];
}

export class DirectoryImage {
  readonly #live = new Map<string, Entry>();
  readonly #durable = new Map<string, Entry>();
  #changes: NameChange[] = [];
  /** Changes that are on the disk, or never will be. */
  #settledCount = 0;

  get changeCount(): number {
    return this.#settledCount + this.#changes.length;
  }

  names(): string[] {
    return [...this.#live.keys()];
  }

  find(name: string): Entry | undefined {
    return this.#live.get(name);
  }

  add(name: string, entry: Entry): void {
    this.#change({ add: [name, entry] });
  }

  remove(name: string): void {
    this.#change({ remove: name });
  }

  rename(from: string, to: string): void {
    this.#change({ remove: from, add: [to, this.#live.get(from) as Entry] });
  }

  #change(change: NameChange): void {
    apply(this.#live, change);
    this.#changes.push(change);
  }

  /** Makes the first `count` changes ever made durable. */
  sync(count: number): void {
    for (const change of this.#settle(count)) apply(this.#durable, change);
  }

  #settle(count: number): NameChange[] {
    const settled = this.#changes.splice(0, Math.max(0, count - this.#settledCount));
    this.#settledCount += settled.length;
    return settled;
  }

  /** Any of the changes since the last sync happened: half of the times the first ones only. */
  cutPower(prng: Prng): void {
    const changes = this.#settle(this.changeCount);
    const inOrder = happens(prng, 0.5);
    const kept = prng.integer(changes.length + 1);
    for (const [index, change] of changes.entries()) {
      if (inOrder ? index < kept : happens(prng, 0.5)) apply(this.#durable, change);
    }
    this.#live.clear();
    for (const [name, entry] of this.#durable) {
      this.#live.set(name, entry);
      entry.cutPower(prng);
    }
  }

  /** Bytes of all files below. */
  get size(): number {
    let size = 0;
    for (const entry of this.#live.values()) size += entry.size;
    return size;
  }
}

function apply(names: Map<string, Entry>, { remove, add }: NameChange): void {
  if (remove !== undefined) names.delete(remove);
  if (add !== undefined) names.set(add[0], add[1]);
}
