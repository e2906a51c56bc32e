// Few elements of a vector as a message: their indices, then their values.

import { accumulateMomentum, collectAtLeast, isShared } from "@atoll/tensor/vectors";
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
  const k = indices.length;
  if (isShared(x, candidates)) {
    const count = collectAtLeast(x, likelyThreshold(bitsOf(x), k), candidates);
    if (count >= k && count <= candidates.length) {
      const places = bitsOf(candidates).subarray(0, count);
      const bits = bitsOf(x);
      const values = new Uint32Array(count);
      for (let i = 0; i < count; i++) values[i] = bits[places[i]!]!;
      createTopK(count)(values, { start: 0, end: count, k }, indices, 0);
      for (let i = 0; i < k; i++) indices[i] = places[indices[i]!]!;
      return;
    }
  }
  createTopK(x.length)(bitsOf(x), { start: 0, end: x.length, k }, indices, 0);
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
 * velocity (u), residual (v), gradients [P]; message [2k]; candidates: see `largestElements`
 */
export function dgcEncode(
  vectors: Readonly<Record<string, Float32Array>>,
  numbers: Readonly<Record<string, number>>,
): void {
  const velocity = vectors.velocity!;
  const residual = vectors.residual!;
  const message = vectors.message!;
  accumulateMomentum(velocity, residual, vectors.gradients!, numbers.momentum!);
  const k = message.length / 2;
  const indices = bitsOf(message).subarray(0, k);
  largestElements(residual, indices, vectors.candidates!);
  for (let j = 0; j < k; j++) {
    const index = indices[j]!;
    message[k + j] = residual[index]!;
    residual[index] = 0;
    velocity[index] = 0;
  }
}
