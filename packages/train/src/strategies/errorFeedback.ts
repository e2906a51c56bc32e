// Averaging through a codec that loses something, without losing it for good: what a node's encoding leaves out is kept
// and added to what it sends next time. Source: Karimireddy et al., "Error feedback fixes SignSGD and other gradient
// compression schemes" (arXiv 1901.09847). What the second encoding of the sums leaves out is not kept.

import { type Codec, type Communicator, transcode } from "@atoll/comm";

/**
 * x ← mean over the members of Q(xᵢ + rᵢ), encoded once more; rᵢ ← xᵢ + rᵢ − Q(xᵢ + rᵢ). A member alone sends nothing, so
 * it keeps x as it is.
 * @param residual rᵢ, [x.length], zeros at first
 * @param codec has to encode the same numbers to the same bytes each time
 */
export async function allReduceWithFeedback(
  communicator: Communicator,
  x: Float32Array,
  residual: Float32Array,
  codec: Codec,
): Promise<void> {
  const { worldSize } = communicator;
  if (worldSize === 1) return;
  for (let i = 0; i < x.length; i++) x[i]! += residual[i]!;
  for (let member = 0; member < worldSize; member++) {
    // The collective encodes one such shard for each member.
    const start = Math.floor((member * x.length) / worldSize);
    const end = Math.floor(((member + 1) * x.length) / worldSize);
    const sent = transcode(codec, x.subarray(start, end));
    for (let i = start; i < end; i++) residual[i] = x[i]! - sent[i - start]!;
  }
  await communicator.allReduce(x, { op: "mean", codec });
}
