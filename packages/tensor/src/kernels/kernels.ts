// The kernels as functions on vectors. They run over one shared memory; all vectors of a call must lie in it.

import { invariant } from "@atoll/core";
import { memoryOf } from "../memory.ts";
import {
  accumulate,
  adam,
  adamDirection,
  adaptiveStep,
  add,
  average,
  decayAndAdd,
  decayAndAddDifference,
  decayAndAddSquare,
  divide,
  gradientNorm,
  momentum,
  nesterov,
  nesterovStep,
  pairStep,
  proximalAdam,
  proximalMomentum,
  proximalNesterov,
  proximalNorm,
  proximalSgd,
  scale,
  sgd,
  subtract,
} from "./definitions.ts";
import { type ElementwiseKernel, emitElementwise } from "./elementwise.ts";
import { encodeModule } from "./encode.ts";
import { meanOfIntegers, meanOfSigns } from "./encodedSums.ts";
import {
  collectAtLeast,
  countAbove,
  largestMagnitude,
  largestOfGroups,
  sumAbove,
  sumOfMagnitudes,
} from "./magnitudeFunctions.ts";
import { clearBytes, copyBytes, fetchLines, meanOfMany } from "./manyVectors.ts";
import { expandFour, projectBackFour, projectFour, subtractProductAndAddFour } from "./matrixFunctions.ts";
import { momentumAndCollect, momentumAndResidual, residualOfSigns } from "./momentumFunctions.ts";
import { magnitudeOfRank } from "./rankFunctions.ts";
import { roundToPowers, roundToSteps, signsTimes, writeLevels } from "./roundingFunctions.ts";
import { decayAndMark, markAtLeast, takeMarked } from "./selectionFunctions.ts";
import { emitSquaredNorm, type SquaredNorm } from "./squaredNorm.ts";
import { roundAtRandom, sumOfLevels } from "./stochasticFunctions.ts";

export type KernelName =
  | "adam"
  | "sgd"
  | "momentum"
  | "nesterov"
  | "proximalAdam"
  | "proximalSgd"
  | "proximalMomentum"
  | "proximalNesterov"
  | "accumulate"
  | "scale"
  | "add"
  | "subtract"
  | "divide"
  | "average"
  | "decayAndAdd"
  | "decayAndAddDifference"
  | "decayAndAddSquare"
  | "adamDirection"
  | "nesterovStep"
  | "pairStep"
  | "adaptiveStep";

const KERNELS: Record<KernelName, ElementwiseKernel> = {
  adam,
  sgd,
  momentum,
  nesterov,
  proximalAdam,
  proximalSgd,
  proximalMomentum,
  proximalNesterov,
  accumulate,
  scale,
  add,
  subtract,
  divide,
  average,
  decayAndAdd,
  decayAndAddDifference,
  decayAndAddSquare,
  adamDirection,
  nesterovStep,
  pairStep,
  adaptiveStep,
};

export type NormName = "gradientNorm" | "proximalNorm";

const NORMS: Record<NormName, SquaredNorm> = { gradientNorm, proximalNorm };

export interface Kernels {
  /**
   * Runs an elementwise kernel on elements [start, end) of its vectors, in place.
   * @param vectors float32 vectors of this memory, by the kernel's names
   * @param scalars by the kernel's names; rounded to float32 unless the kernel computes in float64
   */
  run(
    kernel: KernelName,
    vectors: Readonly<Record<string, Float32Array>>,
    scalars: Readonly<Record<string, number>>,
    range?: { readonly start: number; readonly end: number },
  ): void;
  /** The squared norm of what is made of whole vectors, added up in float64. Arguments are those of `run`. */
  squaredNorm(
    norm: NormName,
    vectors: Readonly<Record<string, Float32Array>>,
    scalars: Readonly<Record<string, number>>,
  ): number;
  /** Unchecked: the caller vouches for the offsets. */
  readonly blocks: BlockFunctions;
}

type Exports = Record<KernelName, (...args: number[]) => void> &
  Record<NormName, (...args: number[]) => number> &
  BlockFunctions;

/** Functions on byte offsets of the memory; what they do is told where they are defined (magnitudeFunctions.ts and the like). */
export interface BlockFunctions {
  largestMagnitude(x: number, length: number): number;
  sumOfMagnitudes(x: number, length: number): number;
  decayAndMark(
    a: number,
    b: number,
    length: number,
    decay: number,
    factor: number,
    threshold: number,
    marks: number,
  ): void;
  markAtLeast(x: number, length: number, threshold: number, marks: number): void;
  magnitudeOfRank(magnitudes: number, length: number, k: number): number;
  takeMarked(
    x: number,
    marks: number,
    bytes: number,
    k: number,
    list: number,
    room: number,
    values: number,
    shorts: number,
  ): number;
  signsTimes(x: number, out: number, length: number, scale: number): void;
  roundToSteps(x: number, out: number, length: number, scale: number, most: number): void;
  roundToPowers(x: number, out: number, length: number, largest: number, bound: number): void;
  sumAbove(x: number, length: number, threshold: number): number;
  countAbove(x: number, length: number, threshold: number): number;
  writeLevels(x: number, out: number, length: number, threshold: number, small: number, large: number): void;
  collectAtLeast(x: number, length: number, threshold: number, out: number, capacity: number): number;
  largestOfGroups(x: number, each: number, groups: number, out: number): void;
  roundAtRandom(
    x: number,
    codes: number,
    length: number,
    factor: number,
    key0: number,
    key1: number,
    counter: number,
  ): void;
  sumOfLevels(
    table: number,
    from: number,
    members: number,
    length: number,
    factors: number,
    out: number,
  ): void;
  projectFour(m: number, rows: number, columns: number, p: number, q: number, turned: number): void;
  projectBackFour(m: number, rows: number, columns: number, p: number, q: number): void;
  expandFour(m: number, rows: number, columns: number, p: number, q: number, turned: number): void;
  subtractProductAndAddFour(
    m: number,
    rows: number,
    columns: number,
    p: number,
    q: number,
    turned: number,
    g: number,
  ): void;
  meanOfMany(table: number, members: number, targets: number, length: number, by: number): void;
  copyBytes(to: number, from: number, bytes: number): void;
  clearBytes(to: number, bytes: number): void;
  fetchLines(x: number, bytes: number): number;
  momentumAndCollect(
    velocity: number,
    total: number,
    gradients: number,
    length: number,
    momentum: number,
    threshold: number,
    out: number,
    capacity: number,
  ): number;
  momentumAndResidual(
    mean: number,
    gradients: number,
    residual: number,
    length: number,
    b1: number,
    rest: number,
  ): void;
  residualOfSigns(x: number, residual: number, length: number, scale: number): void;
  meanOfSigns(
    table: number,
    members: number,
    from: number,
    length: number,
    by: number,
    out: number,
    scales: number,
  ): void;
  meanOfIntegers(
    table: number,
    members: number,
    from: number,
    length: number,
    by: number,
    out: number,
    scales: number,
    most: number,
  ): void;
}

const BLOCK_FUNCTIONS = [
  largestMagnitude,
  sumOfMagnitudes,
  signsTimes,
  roundToSteps,
  roundToPowers,
  sumAbove,
  countAbove,
  writeLevels,
  collectAtLeast,
  largestOfGroups,
  roundAtRandom,
  sumOfLevels,
  projectFour,
  projectBackFour,
  expandFour,
  subtractProductAndAddFour,
  meanOfMany,
  copyBytes,
  clearBytes,
  fetchLines,
  meanOfSigns,
  meanOfIntegers,
  momentumAndCollect,
  momentumAndResidual,
  residualOfSigns,
  decayAndMark,
  markAtLeast,
  magnitudeOfRank,
  takeMarked,
];

let compiled: WebAssembly.Module | undefined;

/** The module is the same for all memories, so it is compiled once a thread. */
function kernelModule(): WebAssembly.Module {
  compiled ??= new WebAssembly.Module(
    encodeModule([
      ...Object.values(KERNELS).map(emitElementwise),
      ...Object.values(NORMS).map(emitSquaredNorm),
      ...BLOCK_FUNCTIONS,
    ]),
  );
  return compiled;
}

/** Kernels over a memory of a heap (see memory.ts). */
export function createKernels(memory: WebAssembly.Memory): Kernels {
  const { exports } = new WebAssembly.Instance(kernelModule(), { env: { memory } });
  const functions = exports as unknown as Exports;
  /** What a function of these vectors and scalars takes, of elements [start, end). */
  const argumentsOf = (
    { name, vectors: names, scalars: numbers }: Pick<ElementwiseKernel, "name" | "vectors" | "scalars">,
    vectors: Readonly<Record<string, Float32Array>>,
    scalars: Readonly<Record<string, number>>,
    { start, end } = { start: 0, end: vectors[names[0]!]!.length },
  ): readonly number[] => {
    const pointers = names.map((vector) => {
      const array = vectors[vector]!;
      checkVector(name, array, end, memory);
      return array.byteOffset + 4 * start;
    });
    return [...pointers, end - start, ...numbers.map((scalar) => scalars[scalar]!)];
  };
  return {
    run: (name, ...given) => functions[name](...argumentsOf(KERNELS[name], ...given)),
    squaredNorm: (name, ...given) => functions[name](...argumentsOf(NORMS[name], ...given)),
    blocks: functions,
  };
}

/** A kernel writes wherever it is told to, so its arguments are checked first. */
function checkVector(kernel: string, vector: Float32Array, end: number, memory: WebAssembly.Memory): void {
  invariant(
    memoryOf(vector) === memory && end <= vector.length,
    `kernel ${kernel} got a vector of ${vector.length} elements that does not lie in its memory, or ends before ${end}`,
  );
}
