// Few elements of a vector as a message: their indices, then their values.

import { collectAtLeast, isShared, momentumAndCollect } from "@atoll/tensor/vectors";
import { bitsOf, createTopK } from "./topK.ts";

/** Magnitudes that are looked at to guess the k-th largest. */
const SAMPLES = 1024;
const MAGNITUDE = 0x7fffffff;

/** Room for the elements that may be among the k largest of so many. */
export const candidateRoom = (k: number): number => 4 * k + 4096;

/**
 * The indices of the k elements of largest magnitude, ascending; of equal ones the first. Where kernels serve the vectors,
 * a sample tells a magnitude that somewhat more than k elements reach, and only those are sorted out.
 * @param candidates scratch, [candidateRoom(k)] or more
 */
export function largestElements(x: Float32Array, indices: Uint32Array, candidates: Float32Array): void {
  const found = isShared(x, candidates)
    ? collectAtLeast(x, likelyThreshold(bitsOf(x), indices.length), candidates)
    : 0;
  if (!largestOfCandidates(x, indices, candidates, found))
    createTopK(x.length)(bitsOf(x), { start: 0, end: x.length, k: indices.length }, indices, 0);
}

/** The same where all of them are among `count` candidates, whose places are known; says whether they are. */
function largestOfCandidates(
  x: Float32Array,
  indices: Uint32Array,
  candidates: Float32Array,
  count: number,
): boolean {
  const k = indices.length;
  if (count < k || count > candidates.length) return false;
  const places = bitsOf(candidates).subarray(0, count);
  const bits = bitsOf(x);
  const values = new Uint32Array(count);
  for (let i = 0; i < count; i++) values[i] = bits[places[i]!]!;
  createTopK(count)(values, { start: 0, end: count, k }, indices, 0);
  for (let i = 0; i < k; i++) indices[i] = places[indices[i]!]!;
  return true;
}

/** The bits of a magnitude that, by a sample, some more than k elements reach. */
function likelyThreshold(bits: Uint32Array, k: number): number {
  const stride = Math.max(1, Math.floor(bits.length / SAMPLES));
  const sample = new Uint32Array(Math.ceil(bits.length / stride));
  for (let i = 0; i < sample.length; i++) sample[i] = bits[i * stride]! & MAGNITUDE;
  sample.sort();
  const expected = (k * sample.length) / bits.length;
  // Three standard deviations of the number of sampled elements among the k largest.
  const reach = Math.ceil(expected + 3 * Math.sqrt(expected) + 3);
  return sample[Math.max(0, sample.length - reach)]!;
}

/**
 * Momentum correction and masking of deep gradient compression: u ← mu + g, v ← v + u; the largest elements of v go into
 * the message, indices first, and become zero in u and v.
 * velocity (u), residual (v), gradients [P]; message [2k]; candidates: see `largestElements`; threshold [1]: where the last
 * call left off, 0 at first. It decides how long this takes, and nothing else
 */
export function dgcEncode(
  vectors: Readonly<Record<string, Float32Array>>,
  numbers: Readonly<Record<string, number>>,
): void {
  const {
    velocity,
    residual: total,
    gradients,
    message,
    candidates,
    threshold,
  } = vectors as Readonly<
    Record<"velocity" | "residual" | "gradients" | "message" | "candidates" | "threshold", Float32Array>
  >;
  const k = message.length / 2;
  const indices = bitsOf(message).subarray(0, k);
  // The largest are about as large as last time; at first no element reaches the threshold.
  const guess = threshold[0]! > 0 ? bitsOf(threshold)[0]! : MAGNITUDE;
  const momenta = { velocity, total, gradients };
  const count = momentumAndCollect(momenta, numbers.momentum!, { threshold: guess, out: candidates });
  if (!largestOfCandidates(total, indices, candidates, count)) largestElements(total, indices, candidates);
  let least = Number.POSITIVE_INFINITY;
  for (let j = 0; j < k; j++) {
    const index = indices[j]!;
    const value = total[index]!;
    least = Math.min(least, Math.abs(value));
    message[k + j] = value;
    total[index] = 0;
    velocity[index] = 0;
  }
  threshold[0] = NEXT_THRESHOLD * least;
}

/** Part of the least magnitude that was sent which candidates of the next step have to reach. */
const NEXT_THRESHOLD = 0.9;
