// One bit an element: its sign, and for each block the mean magnitude, which is the scale with the smallest squared error.
// Source: Seide et al., "1-bit stochastic gradient descent" (Interspeech 2014); Karimireddy et al., "Error feedback fixes
// SignSGD" (arXiv 1901.09847), §4, for the scale.

import type { Codec } from "@atoll/comm";
import { meanMagnitude } from "@atoll/tensor/vectors";
import { blockCodec } from "./blocks.ts";

/** x ← sign(x) · mean|x| by blocks, zero counting as positive. Bytes for n elements: ⌈n/8⌉ + 4⌈n / blockSize⌉. */
export const sign = ({ blockSize = 4096 }: { readonly blockSize?: number } = {}): Codec =>
  blockCodec({
    name: "sign",
    width: 1,
    blockSize,
    scaleCount: 1,
    quantise(block, scales, codes) {
      for (let i = 0; i < block.length; i++) codes[i] = block[i]! < 0 ? 1 : 0;
      scales[0] = meanMagnitude(block);
    },
    restore(codes, scales, block) {
      const scale = scales[0]!;
      for (let i = 0; i < block.length; i++) block[i] = codes[i] === 1 ? -scale : scale;
    },
  });
