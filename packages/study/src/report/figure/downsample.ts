// Which points of a long series to draw. A line of 100,000 points on 450 pixels shows nothing more than the lowest and
// the highest value in each pixel's share of it; keeping exactly those keeps every spike.

/**
 * Indices, ascending, of the points to draw: the first, the last, and of each of `bins` equal shares the lowest, the
 * highest and the first that is not finite. All indices where there are no more than 2 × bins.
 */
export function extremes(values: readonly number[], bins: number): readonly number[] {
  const length = values.length;
  if (length <= 2 * bins) return values.map((_, index) => index);
  const kept = new Set([0, length - 1]);
  for (let bin = 0; bin < bins; bin++) {
    const start = Math.floor((bin * length) / bins);
    const end = Math.floor(((bin + 1) * length) / bins);
    let low = -1;
    let high = -1;
    let strange = -1;
    for (let i = start; i < end; i++) {
      const value = values[i]!;
      if (!Number.isFinite(value)) {
        if (strange === -1) strange = i;
        continue;
      }
      if (low === -1 || value < values[low]!) low = i;
      if (high === -1 || value > values[high]!) high = i;
    }
    for (const index of [low, high, strange]) if (index !== -1) kept.add(index);
  }
  return [...kept].sort((a, b) => a - b);
}

/** About `count` indices at equal distances, the first and the last among them; all where there are no more. */
export function evenly(length: number, count: number): readonly number[] {
  if (length <= count) return Array.from({ length }, (_, index) => index);
  const indices = Array.from({ length: count }, (_, i) => Math.round((i * (length - 1)) / (count - 1)));
  return [...new Set(indices)];
}
