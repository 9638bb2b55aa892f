/**
 * Cuts a stream of bytes into MQTT packets, knowing nothing of them but their length:
 *
 *   u8 type and flags, 1 to 4 bytes of length (7 bits each, the top bit says more follow), the rest
 *
 * A packet that says it is longer than it may be is refused by its head, before it is here. Source:
 * MQTT 5.0, 1.5.5 and 2.1.
 */
export type FrameFault = "too large" | "malformed";

const lengthBytesMax = 4;
/** Pieces of a packet before they are joined: each costs more than its bytes. */
const chunksMax = 64;

export class PacketFrames {
  #chunks: Buffer[] = [];
  #size = 0;

  /** Bytes of a packet that is not whole yet. */
  get pending(): number {
    return this.#size;
  }

  /**
   * Gives every packet that is whole with `chunk`; the limit is asked for each, since what a
   * client may send grows once it is known.
   */
  push(
    chunk: Buffer,
    bytesMax: () => number,
    onPacket: (packet: Buffer) => void,
  ): FrameFault | undefined {
    this.#chunks.push(chunk);
    if (this.#chunks.length > chunksMax) this.#chunks = [Buffer.concat(this.#chunks)];
    this.#size += chunk.length;
    for (;;) {
      const length = this.#length();
      if (length === undefined) return undefined;
      if (length === "malformed") return length;
      if (length > bytesMax()) return "too large";
      if (this.#size < length) return undefined;
      onPacket(this.#take(length));
    }
  }

  /** Of the whole first packet, its head included; undefined while its head is not here. */
  #length(): number | "malformed" | undefined {
    let length = 0;
    for (let at = 1; at <= lengthBytesMax; at++) {
      const byte = this.#byte(at);
      if (byte === undefined) return undefined;
      length += (byte & 0x7f) * 0x80 ** (at - 1);
      if (byte < 0x80) return length + at + 1;
    }
    return "malformed";
  }

  #byte(at: number): number | undefined {
    let offset = at;
    for (const chunk of this.#chunks) {
      if (offset < chunk.length) return chunk[offset];
      offset -= chunk.length;
    }
    return undefined;
  }

  #take(length: number): Buffer {
    const all =
      this.#chunks.length === 1 ? (this.#chunks[0] as Buffer) : Buffer.concat(this.#chunks);
    const rest = all.subarray(length);
    this.#chunks = rest.length === 0 ? [] : [rest];
    this.#size = rest.length;
    return all.subarray(0, length);
  }
}
