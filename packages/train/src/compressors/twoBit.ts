// Two bits an element: its sign, and whether its magnitude is small or large for its block. The two magnitudes are the
// means of those below and above the block's mean magnitude: one step of Lloyd's algorithm (IEEE Trans. Inf. Theory 28,
// 1982) from there.

import type { Codec } from "@atoll/comm";
import { roundToTwoLevels, twoLevels } from "@atoll/tensor/vectors";
import { blockCodec } from "./blocks.ts";

const LARGE = 2;
const NEGATIVE = 1;

/** Bytes for n elements: ⌈n/4⌉ + 8⌈n / blockSize⌉. */
export const twoBit = ({ blockSize = 4096 }: { readonly blockSize?: number } = {}): Codec => ({
  ...blockCodec({
    name: "twoBit",
    width: 2,
    blockSize,
    scaleCount: 2,
    quantise(block, scales, codes) {
      const { mean, small, large } = twoLevels(block);
      for (let i = 0; i < block.length; i++)
        codes[i] = (Math.abs(block[i]!) > mean ? LARGE : 0) | (block[i]! < 0 ? NEGATIVE : 0);
      scales[0] = small;
      scales[1] = large;
    },
    restore(codes, scales, block) {
      const small = scales[0]!;
      const large = scales[1]!;
      for (let i = 0; i < block.length; i++) {
        const magnitude = (codes[i]! & LARGE) === 0 ? small : large;
        block[i] = (codes[i]! & NEGATIVE) === 0 ? magnitude : -magnitude;
      }
    },
  }),
  transcode(x, scratch) {
    roundToTwoLevels(x, scratch, blockSize);
    return scratch;
  },
});
