// QSGD's quantiser: magnitudes are rounded to one of s levels at random, so that the mean over the draws is the vector.
// Source: Alistarh et al., "QSGD: communication-efficient SGD via gradient quantization and encoding" (arXiv 1610.02132),
// §3.1, with its buckets. Codes have a fixed length here, instead of Elias's.

import type { Codec } from "@atoll/comm";
import { ConfigError, type Random, threefry2x32 } from "@atoll/core";
import { blockCodec } from "./blocks.ts";

export interface QuantiserOptions {
  /** Magnitudes that there are, zero among them: a power of two. Default 128. */
  readonly levels?: number;
  /** Elements that share a norm. Default 512. */
  readonly blockSize?: number;
  /** Where the rounding is drawn from. */
  readonly random: Random;
}

/**
 * In a block of norm n (its largest magnitude), x becomes sign(x) · n · l/(s − 1) with the level l drawn from the two
 * nearest so that E[Q(x)] = x. Bytes for n elements: ⌈n (log₂ s + 1) / 8⌉ + 4⌈n / blockSize⌉.
 * @throws ConfigError if `levels` is no power of two from 2 to 2²⁰
 */
export function stochastic({ levels = 128, blockSize = 512, random }: QuantiserOptions): Codec {
  const bits = Math.log2(levels);
  if (!(Number.isInteger(bits) && bits >= 1 && bits <= 20))
    throw new ConfigError(`Option "levels": expected a power of two from 2 to ${2 ** 20}, got ${levels}.`);
  const steps = levels - 1;
  const draw = sixteenBits(random);
  return blockCodec({
    name: `qsgd${levels}`,
    width: bits + 1,
    blockSize,
    scaleCount: 1,
    quantise(block, scales, codes) {
      let most = 0;
      for (let i = 0; i < block.length; i++) most = Math.max(most, Math.abs(block[i]!));
      scales[0] = Number.isFinite(most) ? most : Number.NaN;
      if (most === 0) return;
      for (let i = 0; i < block.length; i++) {
        const position = (Math.abs(block[i]!) / most) * steps;
        const level = Math.min(steps, Math.floor(position + draw()));
        codes[i] = 2 * level + (block[i]! < 0 ? 1 : 0);
      }
    },
    restore(codes, scales, block) {
      const step = scales[0]! / steps;
      for (let i = 0; i < block.length; i++) {
        const magnitude = (codes[i]! >>> 1) * step;
        block[i] = (codes[i]! & 1) === 1 ? -magnitude : magnitude;
      }
    },
  });
}

/** Numbers uniform on the middles of 2¹⁶ parts of [0, 1): finer than any rounding here needs, and four from each block. */
function sixteenBits({ key }: Random): () => number {
  let block = 0;
  let left = 0;
  let words = [0, 0];
  return () => {
    if (left === 0) {
      words = threefry2x32(key[0], key[1], block++, 0);
      left = 4;
    }
    left--;
    const half = (words[left >> 1]! >>> ((left & 1) * 16)) & 0xffff;
    return (half + 0.5) / 2 ** 16;
  };
}
