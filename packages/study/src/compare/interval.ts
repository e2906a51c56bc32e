// The mean of a few repeats with its 95 % confidence interval by Student's t. Source: "Student", "The probable error of a
// mean" (Biometrika 6, 1908); the expansion for many repeats is Abramowitz and Stegun, 26.7.5.
// What is an amount (seconds, bytes, dollars) varies by factors and is never below zero, so its mean and interval are those of
// its logarithms: the geometric mean, as for log-normal values (Limpert et al., "Log-normal distributions across the sciences",
// BioScience 51, 2001). The quotient of two such means is the mean of the quotients.

export interface Interval {
  /** Of amounts the geometric one. */
  readonly mean: number;
  /** Ends of the 95 % confidence interval; null for a single value, which says nothing of its spread. */
  readonly low: number | null;
  readonly high: number | null;
  readonly count: number;
}

/** 97.5 % quantiles of Student's t for 1 … 30 degrees of freedom. */
const QUANTILES = [
  12.70620474, 4.30265273, 3.18244631, 2.77644511, 2.57058184, 2.44691185, 2.36462425, 2.30600414, 2.26215716,
  2.22813885, 2.20098516, 2.17881283, 2.16036866, 2.14478669, 2.13144955, 2.1199053, 2.10981558, 2.10092204,
  2.09302405, 2.08596345, 2.07961384, 2.07387307, 2.06865761, 2.06389856, 2.05953855, 2.05552944, 2.05183052,
  2.04840714, 2.04522964, 2.0422725,
];
const NORMAL = 1.959963985;

/** The 97.5 % quantile of Student's t, to six digits. @param freedom degrees of freedom, at least 1 */
export function studentQuantile(freedom: number): number {
  const tabled = QUANTILES[freedom - 1];
  if (tabled !== undefined) return tabled;
  const z = NORMAL;
  const first = (z ** 3 + z) / 4;
  const second = (5 * z ** 5 + 16 * z ** 3 + 3 * z) / 96;
  const third = (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / 384;
  return z + first / freedom + second / freedom ** 2 + third / freedom ** 3;
}

/** What a mean can be. */
export interface Bounds {
  readonly least?: number;
  readonly most?: number;
}

/**
 * The mean of some values and its interval; null where there is no value. Of the interval only what lies within the bounds
 * is left: the mean is nowhere else, so it holds the mean as often.
 */
export function intervalOf(values: readonly number[], bounds: Bounds = {}): Interval | null {
  const count = values.length;
  if (count === 0) return null;
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  if (count === 1) return { mean, low: null, high: null, count };
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (count - 1);
  const half = studentQuantile(count - 1) * Math.sqrt(variance / count);
  const { least = Number.NEGATIVE_INFINITY, most = Number.POSITIVE_INFINITY } = bounds;
  return { mean, low: Math.max(least, mean - half), high: Math.min(most, mean + half), count };
}

/** The geometric mean of some amounts and its interval, by Student's t on their logarithms; null where there is no value. */
export function amountOf(values: readonly number[]): Interval | null {
  const [first] = values;
  // Nothing sent, on one node, has no logarithm; and what is always the same shall not be rounded by one.
  if (values.every((value) => value === first)) return intervalOf(values);
  return values.every((value) => value > 0)
    ? exponential(intervalOf(values.map(Math.log)))
    : intervalOf(values, { least: 0 });
}

function exponential(interval: Interval | null): Interval | null {
  if (interval === null) return null;
  const { mean, low, high, count } = interval;
  return {
    mean: Math.exp(mean),
    low: low === null ? null : Math.exp(low),
    high: high === null ? null : Math.exp(high),
    count,
  };
}

/**
 * The geometric mean of the ratios of pairs, `of / to`, and its interval, by Student's t on their logarithms. What a pair has in
 * common cancels out: two runs of one seed have the same links, which may be ten times as fast under the next.
 * Null where no pair has a ratio above 0.
 */
export function ratioOf(pairs: readonly { readonly of: number; readonly to: number }[]): Interval | null {
  const logarithms = pairs.map(({ of, to }) => Math.log(of / to)).filter(Number.isFinite);
  return exponential(intervalOf(logarithms));
}
