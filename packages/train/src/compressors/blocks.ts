// Codecs that quantise block by block: for each block of elements a few float scales, and a small integer for each
// element. The codes of all elements come first, packed, then the scales.

import type { Codec } from "@atoll/comm";
import { ConfigError } from "@atoll/core";
import { packBits, packedBytes, unpackBits } from "./bits.ts";

export interface BlockQuantiser {
  readonly name: string;
  /** Bits of an element's code. */
  readonly width: number;
  readonly blockSize: number;
  /** Floats that a block's scales take. */
  readonly scaleCount: number;
  /** Writes the block's scales, and the codes of its elements in order. */
  quantise(block: Float32Array, scales: Float32Array, codes: Uint32Array): void;
  /** Writes the block's elements. */
  restore(codes: Uint32Array, scales: Float32Array, block: Float32Array): void;
}

/**
 * Bytes for n elements: ⌈n · width / 8⌉ + 4 · scaleCount · ⌈n / blockSize⌉.
 * @throws ConfigError if the block size is no whole number above 0
 */
export function blockCodec({ name, width, blockSize, scaleCount, quantise, restore }: BlockQuantiser): Codec {
  if (!(Number.isInteger(blockSize) && blockSize > 0))
    throw new ConfigError(`${name}: expected a blockSize that is a whole number above 0, got ${blockSize}.`);
  const scaleBytes = 4 * scaleCount;
  const blocks = function* (length: number): Generator<readonly [number, number, number]> {
    for (let start = 0, block = 0; start < length; start += blockSize, block++)
      yield [start, Math.min(start + blockSize, length), block * scaleCount];
  };
  return {
    name: `${name}/${blockSize}`,
    bytes: (length) => packedBytes(length, width) + scaleBytes * Math.ceil(length / blockSize),
    encode(x) {
      const codes = new Uint32Array(x.length);
      const scales = new Float32Array(scaleCount * Math.ceil(x.length / blockSize));
      for (const [start, end, at] of blocks(x.length))
        quantise(x.subarray(start, end), scales.subarray(at, at + scaleCount), codes.subarray(start, end));
      const packed = packedBytes(x.length, width);
      const encoded = new Uint8Array(packed + scales.byteLength);
      packBits(codes, width, encoded);
      encoded.set(new Uint8Array(scales.buffer), packed);
      return encoded;
    },
    decode(encoded, out) {
      const codes = new Uint32Array(out.length);
      unpackBits(encoded, width, codes);
      const scales = new Float32Array(encoded.slice(packedBytes(out.length, width)).buffer);
      for (const [start, end, at] of blocks(out.length))
        restore(codes.subarray(start, end), scales.subarray(at, at + scaleCount), out.subarray(start, end));
    },
  };
}
