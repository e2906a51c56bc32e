// QSGD's quantiser: magnitudes are rounded to one of s levels at random, so that the mean over the draws is the vector.
// Source: Alistarh et al., "QSGD: communication-efficient SGD via gradient quantization and encoding" (arXiv 1610.02132),
// §3.1, with its buckets. Codes have a fixed length here, instead of Elias's.

import type { Codec } from "@atoll/comm";
import { ConfigError, type Random, threefry2x32 } from "@atoll/core";
import {
  type Bucket,
  largestOfBlocks,
  type RandomRounding,
  type Restoring,
  roundingOf,
} from "@atoll/tensor/vectors";
import { blockCodec } from "./blocks.ts";

/** So many levels and seventeen bits of fraction are the 24 bits of a float32 number. */
const FLOAT32_LEVELS = 128;

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
 * nearest so that E[Q(x)] = x. It is computed in float32 where that has room for the level and sixteen random bits, with 128
 * levels or less, and in float64 above. Bytes for n elements: ⌈n (log₂ s + 1) / 8⌉ + 4⌈n / blockSize⌉.
 * @throws ConfigError if `levels` is no power of two from 2 to 2²⁰
 */
export function stochastic({ levels = 128, blockSize = 512, random }: QuantiserOptions): Codec {
  const bits = Math.log2(levels);
  if (!(Number.isInteger(bits) && bits >= 1 && bits <= 20))
    throw new ConfigError(`Option "levels": expected a power of two from 2 to ${2 ** 20}, got ${levels}.`);
  const steps = levels - 1;
  const draw = sixteenBits(random);
  const round = levels <= FLOAT32_LEVELS ? Math.fround : (value: number): number => value;
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
        const position = round(round(Math.abs(block[i]!) / most) * steps);
        const level = Math.min(steps, Math.floor(round(position + draw())));
        codes[i] = 2 * level + (block[i]! < 0 ? 1 : 0);
      }
    },
    restore(codes, scales, block) {
      const most = scales[0]!;
      for (let i = 0; i < block.length; i++) {
        const magnitude = round((codes[i]! >>> 1) / steps) * most;
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

/** Levels whose codes are bytes. */
const BYTE_LEVELS = 128;
const STEPS = BYTE_LEVELS - 1;
/** Elements that kernels take at a time; buckets of a multiple of it begin with a Threefry block of their own. */
const AT_ONCE = 16;

/** Whether the operations below serve these options. */
export const codesAreBytes = (levels: number, blockSize: number): boolean =>
  levels === BYTE_LEVELS && blockSize % AT_ONCE === 0;

type Vectors = Readonly<Record<string, Float32Array>>;
type Numbers = Readonly<Record<string, number>>;

const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

/**
 * What `stochastic` encodes with 128 levels, as words. gradients [P] -> message [⌈(P + 4⌈P / blockSize⌉) / 4⌉]. Numbers:
 * blockSize, key0 and key1 of the random stream
 */
export function qsgdEncode(vectors: Vectors, { blockSize, key0, key1 }: Numbers): void {
  const gradients = vectors.gradients!;
  const bytes = bytesOf(vectors.message!);
  const codes = bytes.subarray(0, gradients.length);
  const scales = largestOfBlocks(gradients, blockSize!);
  const { round } = roundingOf(gradients, codes);
  let drawn = 0;
  for (const [block, most] of scales.entries()) {
    const bucket = bucketOf(block, blockSize!, gradients.length);
    if (most === 0) {
      codes.fill(0, bucket.start, bucket.end);
      continue;
    }
    const rounding = { most, steps: STEPS, key: [key0!, key1!], counter: drawn / 4 } as const;
    const done = Number.isFinite(most) ? round(bucket, rounding) : bucket.start;
    encodeRest(gradients, codes, { ...bucket, done }, rounding);
    if (!Number.isFinite(most)) scales[block] = Number.NaN;
    drawn += bucket.end - bucket.start;
  }
  bytes.set(bytesOf(scales), gradients.length);
}

const bucketOf = (block: number, blockSize: number, length: number): Bucket => ({
  start: block * blockSize,
  end: Math.min((block + 1) * blockSize, length),
});

/** A bucket's elements from `done` on. */
function encodeRest(
  x: Float32Array,
  codes: Uint8Array,
  { start, end, done }: Bucket & { readonly done: number },
  { most, key, counter }: RandomRounding,
): void {
  for (let i = done; i < end; i++) {
    const place = i - start;
    const words = threefry2x32(key[0], key[1], counter + (place >>> 2), 0);
    const left = 3 - (place & 3);
    const half = (words[left >> 1]! >>> ((left & 1) * 16)) & 0xffff;
    const position = Math.fround(Math.fround(Math.abs(x[i]!) / most) * STEPS);
    const level = Math.min(STEPS, Math.floor(Math.fround(position + (half + 0.5) / 2 ** 16)));
    codes[i] = 2 * level + (x[i]! < 0 ? 1 : 0);
  }
}

/**
 * The mean of what was encoded, for some whole buckets. messages: one after another, from each member `words` words; mean:
 * the elements from `first` on. Numbers: words, members, length (P), first, blockSize
 */
export function qsgdMean(vectors: Vectors, numbers: Numbers): void {
  const { words, members, length, first, blockSize } = numbers as Readonly<
    Record<"words" | "members" | "length" | "first" | "blockSize", number>
  >;
  const mean = vectors.mean!;
  const scales = new Float32Array(Math.ceil(mean.length / blockSize));
  mean.fill(0);
  for (let member = 0; member < members; member++) {
    const bytes = bytesOf(vectors.messages!.subarray(member * words, (member + 1) * words));
    const at = length + 4 * (first / blockSize);
    bytesOf(scales).set(bytes.subarray(at, at + 4 * scales.length));
    const codes = bytes.subarray(first, first + mean.length);
    const { add } = roundingOf(mean, codes);
    for (const [block, most] of scales.entries()) {
      const bucket = bucketOf(block, blockSize, mean.length);
      const restoring = { most, steps: STEPS, members };
      addRest(codes, mean, { start: add(bucket, restoring), end: bucket.end }, restoring);
    }
  }
}

function addRest(
  codes: Uint8Array,
  mean: Float32Array,
  { start, end }: Bucket,
  { most, steps, members }: Restoring,
): void {
  for (let i = start; i < end; i++) {
    const magnitude = Math.fround(Math.fround((codes[i]! >>> 1) / steps) * most);
    mean[i]! += Math.fround(((codes[i]! & 1) === 1 ? -magnitude : magnitude) / members);
  }
}
