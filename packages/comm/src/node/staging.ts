// Memory for what has come and cannot be applied yet, a cell's worth each, where the vectors lie that it will be added to.
// It is given back and used again: a collective of 100 MB needs a few cells, over and over.

import { plainArithmetic, type VectorArithmetic } from "../arithmetic.ts";
import { CELL_LENGTH } from "./memberPlan.ts";

/** Elements of a collective: floats, or the bytes of encoded ones. */
export type Elements = Float32Array | Uint8Array;

const NO_FLOATS = new Float32Array(0);

export interface Cell {
  readonly elements: Elements;
  release(): void;
}

/** Cells by where they lie: a memory that vectors share, or a plain array of their own. */
type Place = SharedArrayBuffer | "plain";

/** A cell is kept in the number that the arithmetic knows it by. */
export class Staging {
  readonly #arithmetic: VectorArithmetic;
  readonly #free = new Map<Place, Float32Array[]>();
  /** Number 0 is for whole vectors. */
  #made = 1;

  constructor(arithmetic: VectorArithmetic = plainArithmetic) {
    this.#arithmetic = arithmetic;
  }

  /** A copy of a vector beside it; there is one place for that. */
  whole(x: Float32Array): Float32Array {
    const copy = this.#arithmetic.scratch(0, x.length, x);
    this.#arithmetic.copy(copy, x);
    return copy;
  }

  /** As many elements as `like` has, and of its kind; their contents are whatever they were. */
  take(like: Elements): Cell {
    if (like.length === 0) return { elements: like, release: () => undefined };
    const floats = like instanceof Float32Array ? like : NO_FLOATS;
    const place = floats.buffer instanceof SharedArrayBuffer ? floats.buffer : "plain";
    const free = this.#free.get(place) ?? [];
    this.#free.set(place, free);
    const whole = free.pop() ?? this.#arithmetic.scratch(this.#made++, CELL_LENGTH, floats);
    const elements =
      like instanceof Float32Array
        ? whole.subarray(0, like.length)
        : new Uint8Array(whole.buffer, whole.byteOffset, like.length);
    return { elements, release: () => void free.push(whole) };
  }
}
