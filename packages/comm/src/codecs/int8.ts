// Eight-bit integers with one float scale for each block of elements: symmetric linear quantisation, rounded to nearest in float32.
// Source: Dettmers, "8-bit approximations for parallelism in deep learning" (arXiv 1511.04561), in its linear form.
// The error of an element is at most half a step, max|block| / 254.

import { ConfigError } from "@atoll/core";
import type { Codec } from "../codec.ts";

export interface Int8Options {
  /** Elements that share a scale. Default 256. */
  readonly blockSize?: number;
}

const LEVELS = 127;

/**
 * Bytes for n elements: n + 4⌈n / blockSize⌉. An element that is not a number, or infinite, makes its block not a number.
 * @throws ConfigError if `blockSize` is no whole number above 0
 */
export function int8({ blockSize = 256 }: Int8Options = {}): Codec {
  if (!(Number.isInteger(blockSize) && blockSize > 0))
    throw new ConfigError(`int8: expected a blockSize that is a whole number above 0, got ${blockSize}.`);
  const bytes = (length: number): number => length + 4 * Math.ceil(length / blockSize);
  return {
    name: `int8/${blockSize}`,
    bytes,
    encode(x) {
      const encoded = new Uint8Array(bytes(x.length));
      const scales = new DataView(encoded.buffer, x.length);
      const integers = new Int8Array(encoded.buffer, 0, x.length);
      for (let start = 0, block = 0; start < x.length; start += blockSize, block++) {
        const end = Math.min(start + blockSize, x.length);
        const scale = Math.fround(largest(x, start, end) / LEVELS);
        scales.setFloat32(4 * block, scale, true);
        if (scale === 0) continue;
        for (let i = start; i < end; i++) {
          const nearest = nearestInteger(Math.fround(x[i]! / scale));
          integers[i] = Math.max(-LEVELS, Math.min(LEVELS, nearest));
        }
      }
      return encoded;
    },
    decode(encoded, out) {
      const integers = new Int8Array(encoded.buffer, encoded.byteOffset, out.length);
      const scales = new DataView(encoded.buffer, encoded.byteOffset + out.length);
      for (let start = 0, block = 0; start < out.length; start += blockSize, block++) {
        const scale = scales.getFloat32(4 * block, true);
        const end = Math.min(start + blockSize, out.length);
        for (let i = start; i < end; i++) out[i] = integers[i]! * scale;
      }
    },
  };
}

/** In float32, the even one of two: what processors do many at a time. For magnitudes up to 2²². */
const nearestInteger = (x: number): number => Math.fround(Math.fround(x + MAGIC) - MAGIC);
const MAGIC = 1.5 * 2 ** 23;

/** The largest magnitude among the elements; NaN if one of them is no finite number. */
function largest(x: Float32Array, start: number, end: number): number {
  let most = 0;
  for (let i = start; i < end; i++) {
    const magnitude = Math.abs(x[i]!);
    if (magnitude > most) most = magnitude;
    else if (Number.isNaN(magnitude)) return Number.NaN;
  }
  return most === Number.POSITIVE_INFINITY ? Number.NaN : most;
}
