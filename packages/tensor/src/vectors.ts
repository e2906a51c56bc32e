// Arithmetic on vectors, and no more: neither jax-js nor the compiler nor a runtime. An entry point of its own
// (@atoll/tensor/vectors), since worker threads would load all that it imports.

export {
  collectAtLeast,
  isShared,
  largestOfBlocks,
  meanMagnitude,
  roundToIntegers,
  roundToPowers,
  roundToSigns,
  roundToTwoLevels,
  type TwoLevels,
  twoLevels,
} from "./kernels/blocks.ts";
export { addAndHashBlocks, hashBlocks } from "./kernels/hash.ts";
export {
  expand,
  type MatrixShape,
  project,
  projectBack,
  type RowRange,
  rowsAtOnce,
  subtractProductAndAdd,
} from "./kernels/matrices.ts";
export { momentumAndCollect, momentumAndSigns } from "./kernels/momentum.ts";
export { type OrderedMeans, writeOrderedMeans } from "./kernels/orderedMeans.ts";
export { type EncodedMean, meanOfIntegers, meanOfSigns } from "./kernels/reductions.ts";
export {
  decayAndMark,
  marksLength,
  NOTHING,
  type TakeLargest,
  takingOf,
  takingScratch,
} from "./kernels/selection.ts";
export {
  type Bucket,
  type RandomRounding,
  roundingBits,
  roundingOf,
  summingOf,
} from "./kernels/stochastic.ts";
export {
  type AddedTile,
  isSimdTile,
  type TileTransform,
  type TileWork,
  tileScratch,
  tileTables,
  tileTransform,
} from "./kernels/transforms.ts";
export {
  adamDirection,
  adaptiveStep,
  addVectors,
  averageVectors,
  clearVector,
  copyVector,
  decayAndAdd,
  decayAndAddDifference,
  decayAndAddSquare,
  divideVector,
  fetchVector,
  nesterovStep,
  pairStep,
  subtractVectors,
} from "./kernels/vectors.ts";
export { allocateBeside, memoryOf, sharedVectors } from "./memory.ts";
