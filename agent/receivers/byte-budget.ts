/**
 * The bytes of request bodies that all connections hold together. A receiver takes before it keeps
 * a chunk and gives back when the request is answered; a refused `take` means "shed this request".
 */
export interface ByteBudget {
  readonly used: number;
  readonly bytesMax: number;
  /** False, and nothing taken, when `bytes` more would exceed the budget. */
  take(bytes: number): boolean;
  give(bytes: number): void;
}

export function createByteBudget(bytesMax: number): ByteBudget {
  let used = 0;
  return {
    bytesMax,
    get used() {
      return used;
    },
    take(bytes) {
      if (used + bytes > bytesMax) return false;
      used += bytes;
      return true;
    },
    give(bytes) {
      used -= bytes;
    },
  };
}
