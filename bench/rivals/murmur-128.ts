/**
 * MurmurHash3 x86 128-bit of a string's UTF-8: stands in for the native hash that npm's
 * `hyperloglog` asks for and that does not compile on current Node. Source: Austin Appleby, public
 * domain.
 */
const utf8 = new TextEncoder();
const factors = [0x239b961b, 0xab0e9789, 0x38b34ae5, 0xa1e38b93] as const;
/** Per lane: rotation of its word, rotation of its state, what it adds. */
const steps = [
  [15, 19, 0x561ccd1b],
  [16, 17, 0x0bcaa747],
  [17, 15, 0x96cd1c35],
  [18, 13, 0x32ac3b17],
] as const;

/** Four 32-bit words. */
export function murmur128(text: string): number[] {
  const bytes = utf8.encode(text);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const state = [0, 0, 0, 0];
  const whole = bytes.length & ~15;
  for (let at = 0; at < whole; at += 16) {
    for (let lane = 0; lane < 4; lane++) {
      mixWord(state, lane, view.getInt32(at + lane * 4, true));
      const [, turn, plus] = steps[lane] as (typeof steps)[number];
      const next = state[(lane + 1) & 3] as number;
      state[lane] = Math.imul(rotate(state[lane] as number, turn) + next, 5) + plus;
    }
  }
  for (let lane = 3; lane >= 0; lane--) {
    let word = 0;
    const first = whole + lane * 4;
    for (let at = Math.min(bytes.length, first + 4) - 1; at >= first; at--) {
      word = (word << 8) | (bytes[at] as number);
    }
    if (bytes.length > first) mixWord(state, lane, word);
  }
  for (let lane = 0; lane < 4; lane++) state[lane] = (state[lane] as number) ^ bytes.length;
  spread(state);
  for (let lane = 0; lane < 4; lane++) state[lane] = finalise(state[lane] as number);
  spread(state);
  return state.map((word) => word >>> 0);
}

function mixWord(state: number[], lane: number, word: number): void {
  const mixed = rotate(
    Math.imul(word, factors[lane] as number),
    (steps[lane] as readonly number[])[0] as number,
  );
  state[lane] = (state[lane] as number) ^ Math.imul(mixed, factors[(lane + 1) & 3] as number);
}

function spread(state: number[]): void {
  state[0] = state.reduce((sum, word) => (sum + word) | 0, 0);
  for (let lane = 1; lane < 4; lane++) state[lane] = ((state[lane] as number) + state[0]) | 0;
}

function rotate(word: number, by: number): number {
  return (word << by) | (word >>> (32 - by));
}

function finalise(word: number): number {
  let h = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
