// The k elements of largest magnitude, found by counting instead of sorting: a radix selection on the bits of the floats,
// whose order without the sign bit is the order of magnitudes. One pass over all elements, and further ones over the few
// that share the k-th one's exponent.

/** Exponent first, then the mantissa in three parts. */
const DIGITS = [
  { shift: 23, mask: 0xff },
  { shift: 15, mask: 0xff },
  { shift: 7, mask: 0xff },
  { shift: 0, mask: 0x7f },
] as const;
const MAGNITUDE = 0x7fffffff;

/** The elements of a vector with their bits, which is what selection looks at. */
export const bitsOf = (x: Float32Array): Uint32Array => new Uint32Array(x.buffer, x.byteOffset, x.length);

/**
 * Writes the indices of the k elements of largest magnitude among [start, end), ascending, into `out` from `at` on.
 * Of equal magnitudes the first are taken; what is not a number counts as larger than everything.
 */
export type SelectTopK = (
  bits: Uint32Array,
  range: { readonly start: number; readonly end: number; readonly k: number },
  out: Uint32Array,
  at: number,
) => void;

/** @param longest the longest range that it will be asked for */
export function createTopK(longest: number): SelectTopK {
  const candidates = new Uint32Array(longest);
  const counts = new Uint32Array(256);
  return (bits, { start, end, k }, out, at) => {
    if (k === 0) return;
    for (let i = start; i < end; i++) candidates[i - start] = bits[i]! & MAGNITUDE;
    const { threshold, equals } = kthLargest(candidates.subarray(0, end - start), k, counts);
    let place = at;
    let left = equals;
    for (let i = start; i < end; i++) {
      const magnitude = bits[i]! & MAGNITUDE;
      if (magnitude < threshold || (magnitude === threshold && left-- <= 0)) continue;
      out[place++] = i;
    }
  };
}

/**
 * The k-th largest of the values, and how many equal to it are among the k; overwrites the values.
 * Where a whole digit's bucket belongs to the k, its lower end is the threshold and all in it count.
 */
function kthLargest(
  values: Uint32Array,
  k: number,
  counts: Uint32Array,
): { readonly threshold: number; readonly equals: number } {
  let length = values.length;
  let prefix = 0;
  let wanted = k;
  for (const { shift, mask } of DIGITS) {
    counts.fill(0);
    for (let i = 0; i < length; i++) counts[(values[i]! >>> shift) & mask]!++;
    let digit = mask;
    while (counts[digit]! < wanted) wanted -= counts[digit--]!;
    prefix |= digit << shift;
    if (counts[digit] === wanted) return { threshold: prefix, equals: wanted };
    let kept = 0;
    for (let i = 0; i < length; i++)
      if (((values[i]! >>> shift) & mask) === digit) values[kept++] = values[i]!;
    length = kept;
  }
  return { threshold: prefix, equals: wanted };
}
