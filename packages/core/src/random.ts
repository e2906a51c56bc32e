// Seeded random numbers: Threefry-2x32 with 20 rounds, a counter-based generator.
// Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011), §3 and table 2; JAX uses the same one.
// A stream is a 64-bit key and a counter, so its whole state is three numbers, and a stream derived by labels
// (`random.derive("shuffle", rank, epoch)`) does not depend on how much its parent was used.

/** Key of a stream: two unsigned 32-bit words. */
export type RandomKey = readonly [number, number];

/** A stream's state, as JSON: enough to go on where it was. */
export interface RandomState {
  readonly key: RandomKey;
  readonly counter: number;
}

export interface Random {
  readonly key: RandomKey;
  /** Uniform on the integers [0, 2³²). */
  uint32(): number;
  /** Uniform on [0, 1), 32 bits. */
  uniform(): number;
  /** Standard normal (Box–Muller). */
  normal(): number;
  /** Uniform on the integers [0, bound), without modulo bias. */
  integer(bound: number): number;
  /** A uniformly random permutation of 0 … length − 1 (Fisher–Yates). */
  permutation(length: number): Uint32Array;
  /** An independent stream named by labels; the same labels give the same stream, whatever was drawn before. */
  derive(...labels: readonly (string | number)[]): Random;
  state(): RandomState;
}

/** One block of Threefry-2x32-20: encrypts the counter (c0, c1) under the key (k0, k1) into two 32-bit words. */
export function threefry2x32(k0: number, k1: number, c0: number, c1: number): [number, number] {
  threefryBlocks(k0, k1, c0, c1, scratch, 1);
  return [scratch[0]!, scratch[1]!];
}

const scratch = new Uint32Array(2);

/**
 * The blocks of the counters (c0, c1), (c0 + 1, c1) … one after another in `words` [count, 2]. For those who need millions:
 * nothing is allocated, and the rounds are written out, so that rotations are by constants.
 */
export function threefryBlocks(
  k0: number,
  k1: number,
  c0: number,
  c1: number,
  words: Uint32Array,
  count: number,
): void {
  const k2 = 0x1bd11bda ^ k0 ^ k1;
  for (let block = 0; block < count; block++) {
    let x0 = (c0 + block + k0) | 0;
    let x1 = (c1 + k1) | 0;
    x0 = (x0 + x1) | 0;
    x1 = ((x1 << 13) | (x1 >>> 19)) ^ x0;
    x0 = (x0 + x1) | 0;
    x1 = ((x1 << 15) | (x1 >>> 17)) ^ x0;
    x0 = (x0 + x1) | 0;
    x1 = ((x1 << 26) | (x1 >>> 6)) ^ x0;
    x0 = (x0 + x1) | 0;
    x1 = ((x1 << 6) | (x1 >>> 26)) ^ x0;
    x0 = (x0 + k1) | 0;
    x1 = (x1 + k2 + 1) | 0;
    x0 = (x0 + x1) | 0;
    x1 = ((x1 << 17) | (x1 >>> 15)) ^ x0;
    x0 = (x0 + x1) | 0;
    x1 = ((x1 << 29) | (x1 >>> 3)) ^ x0;
    x0 = (x0 + x1) | 0;
    x1 = ((x1 << 16) | (x1 >>> 16)) ^ x0;
    x0 = (x0 + x1) | 0;
    x1 = ((x1 << 24) | (x1 >>> 8)) ^ x0;
    x0 = (x0 + k2) | 0;
    x1 = (x1 + k0 + 2) | 0;
    x0 = (x0 + x1) | 0;
    x1 = ((x1 << 13) | (x1 >>> 19)) ^ x0;
    x0 = (x0 + x1) | 0;
    x1 = ((x1 << 15) | (x1 >>> 17)) ^ x0;
    x0 = (x0 + x1) | 0;
    x1 = ((x1 << 26) | (x1 >>> 6)) ^ x0;
    x0 = (x0 + x1) | 0;
    x1 = ((x1 << 6) | (x1 >>> 26)) ^ x0;
    x0 = (x0 + k0) | 0;
    x1 = (x1 + k1 + 3) | 0;
    x0 = (x0 + x1) | 0;
    x1 = ((x1 << 17) | (x1 >>> 15)) ^ x0;
    x0 = (x0 + x1) | 0;
    x1 = ((x1 << 29) | (x1 >>> 3)) ^ x0;
    x0 = (x0 + x1) | 0;
    x1 = ((x1 << 16) | (x1 >>> 16)) ^ x0;
    x0 = (x0 + x1) | 0;
    x1 = ((x1 << 24) | (x1 >>> 8)) ^ x0;
    x0 = (x0 + k1) | 0;
    x1 = (x1 + k2 + 4) | 0;
    x0 = (x0 + x1) | 0;
    x1 = ((x1 << 13) | (x1 >>> 19)) ^ x0;
    x0 = (x0 + x1) | 0;
    x1 = ((x1 << 15) | (x1 >>> 17)) ^ x0;
    x0 = (x0 + x1) | 0;
    x1 = ((x1 << 26) | (x1 >>> 6)) ^ x0;
    x0 = (x0 + x1) | 0;
    x1 = ((x1 << 6) | (x1 >>> 26)) ^ x0;
    x0 = (x0 + k2) | 0;
    x1 = (x1 + k0 + 5) | 0;
    words[2 * block] = x0;
    words[2 * block + 1] = x1;
  }
}

/** Folds a label into a key. Strings go in by their UTF-16 units, after their length; the tag keeps 1 and "1" apart. */
function fold([k0, k1]: RandomKey, label: string | number): RandomKey {
  if (typeof label === "number") return threefry2x32(k0, k1, label >>> 0, Math.floor(label / 2 ** 32) >>> 0);
  let key: RandomKey = threefry2x32(k0, k1, label.length, 0x73747200);
  for (let i = 0; i < label.length; i++) key = threefry2x32(key[0], key[1], label.charCodeAt(i), 0x73747201);
  return key;
}

class ThreefryStream implements Random {
  readonly key: RandomKey;
  #counter: number;

  constructor({ key, counter }: RandomState) {
    this.key = key;
    this.#counter = counter;
  }

  uint32(): number {
    const [word] = threefry2x32(
      this.key[0],
      this.key[1],
      this.#counter >>> 0,
      Math.floor(this.#counter / 2 ** 32),
    );
    this.#counter++;
    return word;
  }

  uniform(): number {
    return this.uint32() / 2 ** 32;
  }

  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    return radius * Math.cos(2 * Math.PI * this.uniform());
  }

  integer(bound: number): number {
    const limit = 2 ** 32 - (2 ** 32 % bound);
    for (;;) {
      const word = this.uint32();
      if (word < limit) return word % bound;
    }
  }

  permutation(length: number): Uint32Array {
    const result = Uint32Array.from({ length }, (_, i) => i);
    for (let i = length - 1; i > 0; i--) {
      const j = this.integer(i + 1);
      const swapped = result[i]!;
      result[i] = result[j]!;
      result[j] = swapped;
    }
    return result;
  }

  derive(...labels: readonly (string | number)[]): Random {
    return new ThreefryStream({ key: labels.reduce(fold, fold(this.key, "derive")), counter: 0 });
  }

  state(): RandomState {
    return { key: this.key, counter: this.#counter };
  }
}

/** The root stream of a seed (a safe integer), or a stream that goes on from a saved state. */
export function createRandom(from: number | RandomState): Random {
  if (typeof from !== "number") return new ThreefryStream(from);
  return new ThreefryStream({ key: [from >>> 0, Math.floor(from / 2 ** 32) >>> 0], counter: 0 });
}
