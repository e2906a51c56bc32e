// Small integers packed into bytes, the first in the lowest bits: what codecs of less than eight bits an element use.

/** Bytes that `length` integers of `width` bits take. */
export const packedBytes = (length: number, width: number): number => Math.ceil((length * width) / 8);

/** Packs integers below 2^width into `out`; width at most 24. */
export function packBits(values: Uint32Array, width: number, out: Uint8Array): void {
  let word = 0;
  let filled = 0;
  let at = 0;
  for (let i = 0; i < values.length; i++) {
    word |= values[i]! << filled;
    filled += width;
    while (filled >= 8) {
      out[at++] = word & 0xff;
      word >>>= 8;
      filled -= 8;
    }
  }
  if (filled > 0) out[at] = word;
}

/** The inverse: fills `out` with integers of `width` bits. */
export function unpackBits(bytes: Uint8Array, width: number, out: Uint32Array): void {
  const mask = (1 << width) - 1;
  let word = 0;
  let filled = 0;
  let at = 0;
  for (let i = 0; i < out.length; i++) {
    while (filled < width) {
      word |= bytes[at++]! << filled;
      filled += 8;
    }
    out[i] = word & mask;
    word >>>= width;
    filled -= width;
  }
}
