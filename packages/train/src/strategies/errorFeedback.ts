// Averaging through a codec that loses something, without losing it for good: what a node's encoding leaves out is kept
// and added to what it sends next time. Source: Karimireddy et al., "Error feedback fixes SignSGD and other gradient
// compression schemes" (arXiv 1901.09847). What the second encoding of the sums leaves out is not kept.

import type { Codec, Communicator } from "@atoll/comm";
import { addVectors, subtractVectors } from "@atoll/tensor/vectors";
import { remembering, transcodeShards } from "../compressors/transcoded.ts";

/**
 * x ← mean over the members of Q(xᵢ + rᵢ), encoded once more; rᵢ ← xᵢ + rᵢ − Q(xᵢ + rᵢ). A member alone sends nothing, so
 * it keeps x as it is.
 * @param x, residual, transcoded: [x.length]; rᵢ is zeros at first, and the last is scratch that is not touched meanwhile
 * @param codec has to encode the same numbers to the same bytes each time
 */
export async function allReduceWithFeedback(
  communicator: Communicator,
  {
    x,
    residual,
    transcoded,
  }: { readonly x: Float32Array; readonly residual: Float32Array; readonly transcoded: Float32Array },
  codec: Codec,
): Promise<void> {
  const { worldSize } = communicator;
  if (worldSize === 1) return;
  addVectors(x, x, residual);
  transcodeShards(codec, x, transcoded, worldSize);
  subtractVectors(residual, x, transcoded);
  const remembered = remembering(codec, { vector: x, transcoded, members: worldSize });
  await communicator.allReduce(x, { op: "mean", codec: remembered });
}
