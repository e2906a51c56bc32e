// The discrete cosine transform (DCT-II) of vectors of any length, scaled so that it keeps lengths (Parseval), and its
// inverse. Source: Lee, "A new algorithm to compute the discrete cosine transform" (IEEE Trans. ASSP 32, 1984): an even
// length is cut into the sums and the differences of its two ends, over and over; what is short or odd is multiplied out.

/** Below this length multiplying out is faster than cutting. */
const SHORT = 8;

export interface CosineTransform {
  readonly length: number;
  /** [length] at `offset` of `data`, in place. */
  forward(data: Float64Array, offset: number): void;
  inverse(data: Float64Array, offset: number): void;
}

export function cosineTransform(length: number): CosineTransform {
  const stages = stagesOf(length);
  const scratch = new Float64Array(length);
  const first = Math.sqrt(1 / length);
  const others = Math.sqrt(2 / length);
  return {
    length,
    forward(data, offset) {
      cut(data, offset, { stages, level: 0, scratch });
      data[offset]! *= first;
      for (let k = 1; k < length; k++) data[offset + k]! *= others;
    },
    // An orthogonal transform's inverse is its transpose, so this undoes the cuts in the opposite order.
    inverse(data, offset) {
      data[offset]! *= first;
      for (let k = 1; k < length; k++) data[offset + k]! *= others;
      join(data, offset, { stages, level: 0, scratch });
    },
  };
}

/** A length that is cut in halves, with what the differences are divided by, or one that is multiplied out. */
type Stage =
  | { readonly kind: "halves"; readonly length: number; readonly factors: Float64Array }
  | { readonly kind: "whole"; readonly length: number; readonly cosines: Float64Array };

function stagesOf(length: number): readonly Stage[] {
  if (length % 2 === 1 || length <= SHORT) {
    const cosines = new Float64Array(length * length); // [k, n]
    for (let k = 0; k < length; k++)
      for (let n = 0; n < length; n++)
        cosines[k * length + n] = Math.cos((Math.PI * (2 * n + 1) * k) / (2 * length));
    return [{ kind: "whole", length, cosines }];
  }
  const factors = Float64Array.from(
    { length: length / 2 },
    (_, n) => 0.5 / Math.cos((Math.PI * (2 * n + 1)) / (2 * length)),
  );
  return [{ kind: "halves", length, factors }, ...stagesOf(length / 2)];
}

interface Position {
  readonly stages: readonly Stage[];
  readonly level: number;
  readonly scratch: Float64Array;
}

/** X[k] = Σ x[n] cos(π(2n + 1)k / 2N), in place. */
function cut(data: Float64Array, offset: number, { stages, level, scratch }: Position): void {
  const stage = stages[level]!;
  const { length } = stage;
  if (stage.kind === "whole") {
    for (let k = 0; k < length; k++) {
      let total = 0;
      for (let n = 0; n < length; n++) total += data[offset + n]! * stage.cosines[k * length + n]!;
      scratch[k] = total;
    }
    for (let k = 0; k < length; k++) data[offset + k] = scratch[k]!;
    return;
  }
  const half = length / 2;
  for (let n = 0; n < half; n++) {
    const left = data[offset + n]!;
    const right = data[offset + length - 1 - n]!;
    scratch[n] = left + right;
    scratch[half + n] = (left - right) * stage.factors[n]!;
  }
  for (let n = 0; n < length; n++) data[offset + n] = scratch[n]!;
  const below = { stages, level: level + 1, scratch };
  cut(data, offset, below);
  cut(data, offset + half, below);
  for (let k = 0; k < half; k++) {
    scratch[2 * k] = data[offset + k]!;
    scratch[2 * k + 1] = data[offset + half + k]! + (k + 1 < half ? data[offset + half + k + 1]! : 0);
  }
  for (let n = 0; n < length; n++) data[offset + n] = scratch[n]!;
}

/** x[n] = Σ X[k] cos(π(2n + 1)k / 2N), the transpose of `cut`, in place. */
function join(data: Float64Array, offset: number, { stages, level, scratch }: Position): void {
  const stage = stages[level]!;
  const { length } = stage;
  if (stage.kind === "whole") {
    scratch.fill(0, 0, length);
    for (let k = 0; k < length; k++)
      for (let n = 0; n < length; n++) scratch[n]! += data[offset + k]! * stage.cosines[k * length + n]!;
    for (let n = 0; n < length; n++) data[offset + n] = scratch[n]!;
    return;
  }
  const half = length / 2;
  for (let k = 0; k < half; k++) {
    scratch[k] = data[offset + 2 * k]!;
    scratch[half + k] = data[offset + 2 * k + 1]! + (k > 0 ? data[offset + 2 * k - 1]! : 0);
  }
  for (let n = 0; n < length; n++) data[offset + n] = scratch[n]!;
  const below = { stages, level: level + 1, scratch };
  join(data, offset, below);
  join(data, offset + half, below);
  for (let n = 0; n < half; n++) {
    const sum = data[offset + n]!;
    const difference = data[offset + half + n]! * stage.factors[n]!;
    scratch[n] = sum + difference;
    scratch[length - 1 - n] = sum - difference;
  }
  for (let n = 0; n < length; n++) data[offset + n] = scratch[n]!;
}
