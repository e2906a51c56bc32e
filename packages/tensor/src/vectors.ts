// Arithmetic on vectors, and no more: neither jax-js nor the compiler nor a runtime. An entry point of its own
// (@atoll/tensor/vectors), since worker threads would load all that it imports.

export {
  collectAtLeast,
  isShared,
  largestOfBlocks,
  magnitudeReachedBy,
  meanMagnitude,
  roundToIntegers,
  roundToSigns,
} from "./kernels/blocks.ts";
export { expand, type MatrixShape, project, projectBack } from "./kernels/matrices.ts";
export {
  type Bucket,
  type RandomRounding,
  type Restoring,
  type Rounder,
  roundingOf,
} from "./kernels/stochastic.ts";
export { createTileTransform, isSimdTile, type TileTransform, tileScratch } from "./kernels/transforms.ts";
export {
  accumulateMomentum,
  adamDirection,
  adaptiveStep,
  addVectors,
  copyVector,
  decayAndAdd,
  decayAndAddSquare,
  divideVector,
  nesterovStep,
  replaceByMean,
  subtractVectors,
} from "./kernels/vectors.ts";
export { allocateBeside, memoryOf, sharedVectors } from "./memory.ts";
