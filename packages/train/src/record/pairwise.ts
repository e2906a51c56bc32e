// The mean over all pairs of vectors of their cosine, without looking at pairs. With uᵢ = xᵢ / ‖xᵢ‖ and s = Σ uᵢ,
//   ‖s‖² = Σᵢ ‖uᵢ‖² + Σ_{i≠j} uᵢ·uⱼ = N + N(N − 1) · mean cosine,
// so one sum of N normalised vectors is enough: O(NP) instead of O(N²P), and memory for one vector. A Pearson correlation is
// the cosine of vectors whose means have been taken off.

/** A running sum of normalised vectors [P], in double precision, in the order in which they come. */
export class PairwiseMean {
  readonly #centred: boolean;
  #sum: Float64Array | undefined;
  #count = 0;

  /** @param kind `correlation` takes each vector's mean off first */
  constructor(kind: "cosine" | "correlation") {
    this.#centred = kind === "correlation";
  }

  /** Vectors that count: those that are not zero, which have no direction. */
  get count(): number {
    return this.#count;
  }

  /** [P]; all of them have the same length. A vector with an element that is no finite number makes the mean NaN. */
  add(x: Float32Array): void {
    const offset = this.#centred ? meanOf(x) : 0;
    let squared = 0;
    for (let i = 0; i < x.length; i++) squared += (x[i]! - offset) ** 2;
    if (squared === 0) return;
    const scale = 1 / Math.sqrt(squared);
    this.#sum ??= new Float64Array(x.length);
    const sum = this.#sum;
    for (let i = 0; i < x.length; i++) sum[i]! += (x[i]! - offset) * scale;
    this.#count++;
  }

  /** Mean over the pairs, from −1 to 1; undefined where there is none. */
  get mean(): number | undefined {
    const n = this.#count;
    if (n < 2) return undefined;
    let squared = 0;
    for (const element of this.#sum!) squared += element ** 2;
    // Rounding may take it a little out of its bounds.
    return Math.max(-1, Math.min(1, (squared - n) / (n * (n - 1))));
  }
}

function meanOf(x: Float32Array): number {
  let total = 0;
  for (let i = 0; i < x.length; i++) total += x[i]!;
  return total / x.length;
}
