// Four-bit floats E3M0: a sign and three bits of exponent, no mantissa. In a block whose largest magnitude is M, an element
// becomes 0 or ±M · 2^−e, e from 0 to 6, whichever is nearest. Source: Douillard et al., "Streaming DiLoCo" (arXiv
// 2501.18512), §3.3, which sends outer gradients in this form.

import type { Codec } from "@atoll/comm";
import { roundToPowers } from "@atoll/tensor/vectors";
import { blockCodec } from "./blocks.ts";

const NEGATIVE = 8;
/** Exponent codes: 7 is M itself, 1 is M/64, 0 is zero. */
const LARGEST = 7;

/** Bytes for n elements: ⌈n/2⌉ + 4⌈n / blockSize⌉. An element that is not finite makes its block not a number. */
export const e3m0 = ({ blockSize = 256 }: { readonly blockSize?: number } = {}): Codec => ({
  ...blockCodec({
    name: "e3m0",
    width: 4,
    blockSize,
    scaleCount: 1,
    quantise(block, scales, codes) {
      let most = 0;
      for (let i = 0; i < block.length; i++) most = Math.max(most, Math.abs(block[i]!)); // NaN stays
      scales[0] = Number.isFinite(most) ? most : Number.NaN;
      if (most === 0) return;
      for (let i = 0; i < block.length; i++)
        codes[i] = nearestPower(Math.abs(block[i]!) / most) | (block[i]! < 0 ? NEGATIVE : 0);
    },
    restore(codes, scales, block) {
      const most = scales[0]!;
      for (let i = 0; i < block.length; i++) {
        const code = codes[i]!;
        const power = code & LARGEST;
        const magnitude = power === 0 ? 0 * most : most * 2 ** (power - LARGEST);
        block[i] = code >= NEGATIVE ? -magnitude : magnitude;
      }
    },
  }),
  transcode(x, scratch) {
    roundToPowers(x, scratch, blockSize);
    return scratch;
  },
});

/** The code of the value nearest to a ratio in [0, 1]; halfway between two powers is at 1.5 times the lower one. */
function nearestPower(ratio: number): number {
  let bound = 0.75;
  for (let code = LARGEST; code > 1; code--, bound /= 2) if (ratio >= bound) return code;
  return ratio >= 2 ** (1 - LARGEST) / 2 ? 1 : 0;
}
