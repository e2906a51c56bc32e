// Two bits an element: its sign, and whether its magnitude is small or large for its block. The two magnitudes are the
// means of those below and above the block's mean magnitude: one step of Lloyd's algorithm (IEEE Trans. Inf. Theory 28,
// 1982) from there.

import type { Codec } from "@atoll/comm";
import { blockCodec } from "./blocks.ts";

const LARGE = 2;
const NEGATIVE = 1;

/** Bytes for n elements: ⌈n/4⌉ + 8⌈n / blockSize⌉. */
export const twoBit = ({ blockSize = 4096 }: { readonly blockSize?: number } = {}): Codec =>
  blockCodec({
    name: "twoBit",
    width: 2,
    blockSize,
    scaleCount: 2,
    quantise(block, scales, codes) {
      let total = 0;
      for (let i = 0; i < block.length; i++) total += Math.abs(block[i]!);
      const mean = total / block.length;
      let largeTotal = 0;
      let larges = 0;
      for (let i = 0; i < block.length; i++) {
        const magnitude = Math.abs(block[i]!);
        const large = magnitude > mean;
        if (large) {
          largeTotal += magnitude;
          larges++;
        }
        codes[i] = (large ? LARGE : 0) | (block[i]! < 0 ? NEGATIVE : 0);
      }
      // At least one magnitude is not above the mean; should rounding say otherwise, none is small and its mean unused.
      scales[0] = larges === block.length ? 0 : (total - largeTotal) / (block.length - larges);
      scales[1] = larges === 0 ? 0 : largeTotal / larges;
    },
    restore(codes, scales, block) {
      const small = scales[0]!;
      const large = scales[1]!;
      for (let i = 0; i < block.length; i++) {
        const magnitude = (codes[i]! & LARGE) === 0 ? small : large;
        block[i] = (codes[i]! & NEGATIVE) === 0 ? magnitude : -magnitude;
      }
    },
  });
