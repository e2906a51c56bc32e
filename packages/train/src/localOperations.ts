// What a strategy's nodes compute each by itself, as operations by name on vectors: so that the executor can do them on the
// worker threads, which would stand idle while the nodes exchange. An operation is plain arithmetic; it is given all it
// reads and writes, and knows neither ranks nor time. A strategy of one's own needs none: it may compute where it is.

import {
  adamDirection,
  averageVectors,
  copyVector,
  decayAndAdd,
  decayAndAddSquare,
  divideVector,
  pairStep,
  subtractVectors,
  writeOrderedMeans,
} from "@atoll/tensor/vectors";
import { coefficientSigns, coefficientsEncode } from "./compressors/largestCoefficients.ts";
import { lowRankExpand, lowRankProject, lowRankProjectBack } from "./compressors/lowRank.ts";
import { qsgdEncode, qsgdMean } from "./compressors/qsgd.ts";
import { integersOperation, signsOperation } from "./compressors/shardedSums.ts";
import { dgcEncode } from "./compressors/sparse.ts";
import { sparseDecode, sparseEncode, sparseStep } from "./compressors/sparseChunks.ts";
import { oneBitEncode } from "./compressors/transcoded.ts";
import type { LocalOperation, LocalTask, OperationName } from "./localTask.ts";
import {
  adagradUpdate,
  adamUpdate,
  nesterovUpdate,
  takingOver,
  yogiUpdate,
} from "./strategies/outerUpdates.ts";

export const localOperations: Readonly<Record<OperationName, LocalOperation>> = {
  dgcEncode,
  sparseEncode,
  sparseDecode,
  sparseStep,
  meanOfIntegers: integersOperation,
  meanOfSigns: signsOperation,
  oneBitEncode,
  lowRankProject,
  lowRankProjectBack,
  lowRankExpand,
  qsgdEncode,
  qsgdMean,
  coefficientsEncode,
  coefficientSigns,
  /** to ← from, both [n] */
  copy: ({ to, from }) => copyVector(to!, from!),
  /** from ← from + factor · added, where that is given; then the vectors "0", "1" … ← from. All [n] */
  shiftAndCopy({ from, added, ...targets }, { factor }) {
    if (added !== undefined) decayAndAdd(from!, added, { decay: 1, factor: factor! });
    for (const target of Object.values(targets)) copyVector(target, from!);
  },
  /** out ← a − b, all [n] */
  subtract: ({ out, a, b }) => subtractVectors(out!, a!, b!),
  /** a ← a / by. a [n] */
  divide: ({ a }, { by }) => divideVector(a!, by!),
  /** a ← (a + b) / 2, both [n] */
  average: ({ a, b }) => averageVectors(a!, b!),
  /** a ← decay · a + factor · b, both [n] */
  decayAndAdd: ({ a, b }, { decay, factor }) => decayAndAdd(a!, b!, { decay: decay!, factor: factor! }),
  /**
   * The target, or without one each of the vectors "0", "1" …, becomes their sum / by, each chunk added up in its own order:
   * elements [from, to). starts, [chunks + 1], and orders, [chunks, count]: integers. table: scratch, [count + targets].
   * Numbers: count, by, from, to
   */
  orderedMeans({ table, starts, orders, target, ...vectors }, { count, by, from, to }) {
    const members = Array.from({ length: count! }, (_, i) => vectors[i]!);
    const targets = target === undefined ? members : [target];
    const means = { vectors: members, targets, by: by!, table: table! };
    const range = { from: from!, to: to! };
    writeOrderedMeans({ ...means, starts: integersOf(starts!), orders: integersOf(orders!) }, range);
  },
  /** m ← momentum · m + learningRate · (Δ + φ̄ − φ); φ ← φ + m; out ← φ. anchor (φ), change (Δ), mean (φ̄), velocity (m), out [n] */
  pairStep: ({ out, anchor, change, mean, velocity }, { learningRate, momentum }) =>
    pairStep(
      { out: out!, anchor: anchor!, change: change!, mean: mean!, velocity: velocity! },
      { learningRate: learningRate!, momentum: momentum! },
    ),
  nesterovOuter: takingOver(nesterovUpdate),
  adamOuter: takingOver(adamUpdate),
  yogiOuter: takingOver(yogiUpdate),
  adagradOuter: takingOver(adagradUpdate),
  /** m ← b1 m + (1 − b1) g, v ← b2 v + (1 − b2) g². mean (m), square (v), gradients (g) [P] */
  adamMoments({ mean, square, gradients }, { b1, b2 }) {
    decayAndAdd(mean!, gradients!, { decay: b1!, factor: 1 - b1! });
    decayAndAddSquare(square!, gradients!, { decay: b2!, factor: 1 - b2! });
  },
  /** g ← mean · meanScale / (√square · rootScale + eps). gradients (g), mean, square [P] */
  adamDirection({ mean, square, gradients }, { meanScale, rootScale, eps }) {
    const scalars = { meanScale: meanScale!, rootScale: rootScale!, eps: eps! };
    adamDirection(gradients!, { mean: mean!, square: square! }, scalars);
  },
};

/** The integers that lie in a vector bit by bit. */
const integersOf = ({ buffer, byteOffset, length }: Float32Array): Int32Array =>
  new Int32Array(buffer, byteOffset, length);

/** Does it here and now. */
export const runLocally = ({ operation, vectors, numbers }: LocalTask): void =>
  localOperations[operation](vectors, numbers);
