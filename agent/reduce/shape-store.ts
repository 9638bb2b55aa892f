/**
 * Shapes that are known, each at a place of its own, in sets of a few places.
 *
 *   hashes  Int32Array [placesMax]       0 = free
 *   words   Int32Array [placesMax, 128]  the shape's words, their number first
 *   facts   Int32Array [placesMax, 8]    what a span of the shape needs, by the columns below
 *
 * All three are found by the place alone, so the processor fetches them at one time; shapes as
 * objects were four fetches, each waiting for the one before. Places of a set are reused in turn:
 * a flood of shapes costs time but no memory. Pages nobody has written take none.
 */
import { isSelection, type Selection, wordsOfSelection } from "./selection.ts";

/** Powers of two. Each costs 4 KiB, so an agent of few keys has fewer. */
const setsMax = 1_024;
const setsMin = 64;
const setsPerKey = 2;
const placesPerSet = 8;
const wordsPerPlace = 128;
export const factWords = 8;
/** The segment the columns behind it are of; 0 for none yet. */
export const segmentFact = 0;
export const keyFact = 1;
export const cellFact = 2;
export const foldedFact = 3;
/** The last bucket that is not slow. */
export const slowBucketFact = 4;
/** Flags of the memory of spans, as far as the shape decides them. */
export const flagsFact = 5;

export class ShapeStore {
  readonly facts: Int32Array;
  readonly #setsMask: number;
  /** Where a shape goes that is too large to be kept: known to nobody. */
  readonly #largePlace: number;
  readonly #hashes: Int32Array;
  readonly #words: Int32Array;
  #turn = 0;

  /** Has many places for each of `keysMax` keys, as many shapes may make one. */
  constructor(keysMax: number) {
    let sets = setsMin;
    while (sets < setsMax && sets < keysMax * setsPerKey) sets *= 2;
    const places = sets * placesPerSet;
    this.#setsMask = sets - 1;
    this.#largePlace = places;
    this.facts = new Int32Array((places + 1) * factWords);
    this.#hashes = new Int32Array(places);
    this.#words = new Int32Array(places * wordsPerPlace);
  }

  /** Where the shape of this selection is; -1 when it is not known. */
  find(selection: Selection, view: DataView): number {
    const hash = selection.hash | 1;
    const first = this.#firstPlace(selection.hash);
    for (let place = first; place < first + placesPerSet; place++) {
      if (
        this.#hashes[place] === hash &&
        isSelection(this.#words, place * wordsPerPlace, selection, view)
      ) {
        return place;
      }
    }
    return -1;
  }

  /** Gives the selection a place, which may have been another's. */
  add(selection: Selection, view: DataView): number {
    const words = wordsOfSelection(selection, view, wordsPerPlace);
    const place = words.length === 0 ? this.#largePlace : this.#freePlace(selection.hash);
    this.facts.fill(0, place * factWords, (place + 1) * factWords);
    if (place !== this.#largePlace) {
      this.#hashes[place] = selection.hash | 1;
      this.#words.set(words, place * wordsPerPlace);
    }
    return place;
  }

  #freePlace(hash: number): number {
    const first = this.#firstPlace(hash);
    for (let place = first; place < first + placesPerSet; place++) {
      if (this.#hashes[place] === 0) return place;
    }
    this.#turn = (this.#turn + 1) % placesPerSet;
    return first + this.#turn;
  }

  #firstPlace(hash: number): number {
    return ((hash ^ (hash >>> 15)) & this.#setsMask) * placesPerSet;
  }
}
