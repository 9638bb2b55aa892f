/** Files that are being read stay until their last reader is done, although they were let go. */
export class HeldFiles {
  readonly #unlink: (name: string) => Promise<void>;
  /** How many read a file, by its name. */
  readonly #readers = new Map<string, number>();
  readonly #doomed = new Set<string>();

  constructor(unlink: (name: string) => Promise<void>) {
    this.#unlink = unlink;
  }

  hold(name: string): void {
    this.#readers.set(name, (this.#readers.get(name) ?? 0) + 1);
  }

  async release(name: string): Promise<void> {
    const readers = (this.#readers.get(name) ?? 1) - 1;
    if (readers > 0) this.#readers.set(name, readers);
    else this.#readers.delete(name);
    if (readers === 0 && this.#doomed.delete(name)) await this.#unlink(name);
  }

  async remove(name: string): Promise<void> {
    if (this.#readers.has(name)) this.#doomed.add(name);
    else await this.#unlink(name);
  }
}
