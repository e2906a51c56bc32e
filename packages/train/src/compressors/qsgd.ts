// QSGD's quantiser: magnitudes are rounded to one of s levels at random, so that the mean over the draws is the vector.
// Source: Alistarh et al., "QSGD: communication-efficient SGD via gradient quantization and encoding" (arXiv 1610.02132),
// §3.1, with its buckets. Codes have a fixed length here, instead of Elias's.

import type { Codec } from "@atoll/comm";
import { ConfigError, type Random } from "@atoll/core";
import {
  type Bucket,
  largestOfBlocks,
  type RandomRounding,
  roundingBits,
  roundingOf,
  summingOf,
} from "@atoll/tensor/vectors";
import { blockCodec } from "./blocks.ts";

const { fround } = Math;

/** So many levels and seventeen bits of fraction are the 24 bits of a float32 number. */
const FLOAT32_LEVELS = 128;

/** A smaller norm would have no finite inverse, so such a block becomes zeros. */
const LEAST_NORM = 2 ** -100;

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
 * levels or less, and in float64 above. A block whose norm is below 2⁻¹⁰⁰ becomes zeros. Bytes for n elements: ⌈n (log₂ s + 1) / 8⌉ + 4⌈n / blockSize⌉.
 * @throws ConfigError if `levels` is no power of two from 2 to 2²⁰
 */
export function stochastic({ levels = 128, blockSize = 512, random }: QuantiserOptions): Codec {
  const bits = Math.log2(levels);
  if (!(Number.isInteger(bits) && bits >= 1 && bits <= 20))
    throw new ConfigError(`Option "levels": expected a power of two from 2 to ${2 ** 20}, got ${levels}.`);
  const steps = levels - 1;
  const draw = sixteenBits(random);
  const inFloat32 = levels <= FLOAT32_LEVELS;
  return blockCodec({
    name: `qsgd${levels}`,
    width: bits + 1,
    blockSize,
    scaleCount: 1,
    quantise(block, scales, codes) {
      let most = 0;
      for (let i = 0; i < block.length; i++) most = Math.max(most, Math.abs(block[i]!));
      scales[0] = normOf(most);
      if (scales[0] === 0) return;
      const factor = factorOf(most, steps);
      for (let i = 0; i < block.length; i++) {
        const x = Math.abs(block[i]!);
        const level = inFloat32
          ? levelOf(fround(x * factor), draw())
          : Math.min(steps, Math.floor((x / most) * steps + draw()));
        codes[i] = 2 * level + signOf(block[i]!);
      }
    },
    restore(codes, scales, block) {
      const most = scales[0]!;
      for (let i = 0; i < block.length; i++) {
        const level = codes[i]! >>> 1;
        const magnitude = inFloat32 ? level * fround(most / steps) : (level / steps) * most;
        block[i] = (codes[i]! & 1) === 1 ? -magnitude : magnitude;
      }
    },
  });
}

const signOf = (x: number): 0 | 1 => (x < 0 || Object.is(x, -0) ? 1 : 0);

/** What is sent of a block's largest magnitude. */
const normOf = (most: number): number =>
  Number.isFinite(most) ? (most < LEAST_NORM ? 0 : most) : Number.NaN;

/** The largest float32 number whose product with `most`, rounded to float32, is at most `steps`, or nearly. */
function factorOf(most: number, steps: number): number {
  const nearest = fround(steps / most);
  return fround(most * nearest) > steps ? fround(nearest * (1 - 2 ** -23)) : nearest;
}

/** The integer nearest to a position plus a number on the middles of 2¹⁶ parts of [−½, ½), in float32. @param u on [0, 1) */
const levelOf = (position: number, u: number): number =>
  fround(fround(fround(position + (u - 0.5)) + ROUNDER) - ROUNDER);
const ROUNDER = 1.5 * 2 ** 23;

/** Numbers uniform on the middles of 2¹⁶ parts of [0, 1): finer than any rounding here needs, and four from each block. */
function sixteenBits({ key }: Random): () => number {
  let block = 0;
  let left = 0;
  let words: readonly number[] = [0, 0];
  return () => {
    if (left === 0) {
      words = roundingBits(key, block++);
      left = 4;
    }
    left--;
    const half = (words[left >> 1]! >>> (left & 1 ? 0 : 16)) & 0xffff;
    return (half + 0.5) / 2 ** 16;
  };
}

/** Levels whose codes are bytes. */
const BYTE_LEVELS = 128;
const STEPS = BYTE_LEVELS - 1;
/** Buckets of a multiple of it begin with a Threefry block of their own, and end with what kernels take at a time. */
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
  const round = roundingOf(gradients, codes);
  let drawn = 0;
  for (const [block, most] of scales.entries()) {
    const bucket = bucketOf(block, blockSize!, gradients.length);
    scales[block] = normOf(most);
    if (scales[block] === 0) {
      codes.fill(0, bucket.start, bucket.end);
      continue;
    }
    const rounding = {
      factor: factorOf(most, STEPS),
      key: [key0!, key1!],
      counter: drawn / 4,
    } as const;
    const done = Number.isFinite(most) ? round(bucket, rounding) : bucket.start;
    encodeRest(gradients, codes, { ...bucket, done }, rounding);
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
  { factor, key, counter }: RandomRounding,
): void {
  for (let i = done; i < end; i++) {
    const place = i - start;
    const words = roundingBits(key, counter + (place >>> 2));
    const left = 3 - (place & 3);
    const half = (words[left >> 1]! >>> (left & 1 ? 0 : 16)) & 0xffff;
    const level = levelOf(fround(Math.abs(x[i]!) * factor), (half + 0.5) / 2 ** 16);
    codes[i] = 2 * level + signOf(x[i]!);
  }
}

/**
 * The mean of what was encoded, for some whole buckets: Σ ±level · (norm / (s − 1) / members), in float32. "0", "1" …: the
 * members' messages; mean: its elements from `first` on; scratch [2 · count]. Numbers: count (of members), length (P), first,
 * blockSize
 */
export function qsgdMean(vectors: Vectors, numbers: Numbers): void {
  const { count, length, first, blockSize } = numbers as Readonly<
    Record<"count" | "length" | "first" | "blockSize", number>
  >;
  const mean = vectors.mean!;
  const messages = Array.from({ length: count }, (_, m) => vectors[m]!);
  const parts = messages.map((message) => {
    const bytes = bytesOf(message);
    const norms = new Float32Array(Math.ceil(mean.length / blockSize));
    const at = length + 4 * (first / blockSize);
    bytesOf(norms).set(bytes.subarray(at, at + 4 * norms.length));
    return { codes: bytes.subarray(first, first + mean.length), norms };
  });
  const sum = summingOf(messages, mean, { first, scratch: vectors.scratch! });
  for (let block = 0; block * blockSize < mean.length; block++) {
    const bucket = bucketOf(block, blockSize, mean.length);
    const factors = parts.map(({ norms }) => fround(fround(norms[block]! / STEPS) / count));
    for (let i = sum(bucket, factors); i < bucket.end; i++) {
      let total = 0;
      for (const [m, { codes }] of parts.entries()) {
        const level = codes[i]! >>> 1;
        total = fround(total + fround(((codes[i]! & 1) === 1 ? -level : level) * factors[m]!));
      }
      mean[i] = total;
    }
  }
}
