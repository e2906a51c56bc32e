// The arithmetic of collectives on float32 vectors, as an argument: plain loops here, and whatever is faster on the vectors
// that a caller has. Implementations give the same bits.

/** Vectors to be added up, each chunk of them in an order of its own. */
export interface OrderedSum {
  /** Each [length]. */
  readonly vectors: readonly Float32Array[];
  /** Chunk c is the elements starts[c] … starts[c + 1] − 1. [chunks + 1] */
  readonly starts: Int32Array;
  /** By chunk, the vectors' numbers in the order in which they are added up. [chunks, vectors] */
  readonly orders: Int32Array;
}

export interface VectorArithmetic {
  /** out ← a + b, all [n]; `out` may be `a` or `b` */
  add(out: Float32Array, a: Float32Array, b: Float32Array): void;
  /** a ← a / by */
  divide(a: Float32Array, by: number): void;
  /** out ← a */
  copy(out: Float32Array, a: Float32Array): void;
  /** out ← the sum divided by `by`; [length]. Left out where `add` is as fast. */
  mean?(out: Float32Array, sum: OrderedSum, by: number): void;
  /**
   * Each vector becomes the sum of all divided by `by`: somewhere else, while the caller goes on. The vectors must not be
   * touched until the promise has ended.
   * @returns undefined where there is nothing faster than the above
   */
  replaceByMeans?(sum: OrderedSum, by: number): Promise<void> | undefined;
  /**
   * As `replaceByMeans`, but the vectors stay as they are.
   * @returns a view that is not used for another result, of what is only overwritten when vectors that begin with the same one
   *   are added up again; undefined where there is nothing faster
   */
  meanApart?(sum: OrderedSum, by: number): Promise<Float32Array> | undefined;
  /**
   * NH of each whole block of as many bytes as the key has (Black et al.: UMAC, CRYPTO 1999, with words of 32 bits): of eight
   * words, number i goes with number i + 4. Left out where loops are as fast.
   * @param key a multiple of eight words
   * @param take gets the hashes in order, eight bytes each, little-endian, and has them for the time of the call
   */
  hashBlocks?(bytes: Uint8Array, key: Uint32Array, take: (hashes: Uint8Array) => void): void;
  /**
   * a ← a + b, both [n], in one pass with what `hashBlocks` does to b as it is and to a as it becomes. Left out where there is no such pass.
   * @param take gets for each block the hash of b's and then of a's
   * @returns false, and has done nothing, where it cannot be done on these vectors
   */
  addAndHashBlocks?(
    a: Float32Array,
    b: Float32Array,
    key: Uint32Array,
    take: (hashes: Uint8Array) => void,
  ): boolean;
  /** [length] where `vector` lies, for the time of one collective; its contents are whatever they were. @param number tells those of one collective apart */
  scratch(number: number, length: number, vector: Float32Array): Float32Array;
}

export const plainArithmetic: VectorArithmetic = {
  add(out, a, b) {
    for (let i = 0; i < out.length; i++) out[i] = a[i]! + b[i]!;
  },
  divide(a, by) {
    for (let i = 0; i < a.length; i++) a[i]! /= by;
  },
  copy: (out, a) => out.set(a),
  scratch: (_, length) => new Float32Array(length),
};
