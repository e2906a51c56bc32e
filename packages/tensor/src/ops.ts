// Operations on tensors: NumPy's names and broadcasting, over jax-js. They borrow their arguments (see borrow.ts), so
// `add(x, x)` is fine. Plain numbers are scalars of the other operand's type. Layers and losses are in nn/.

import { ConfigError } from "@atoll/core";
import { DType as JaxDType, lax, nn, numpy as np, random } from "@jax-js/jax";
import { type JaxArray, keep, lend, type Tensor } from "./borrow.ts";
import { type DType, dtypeOf, type HostTensor } from "./host.ts";

export type Operand = Tensor | number;

type JaxOperand = JaxArray | number;
const unary =
  (f: (x: JaxOperand) => JaxArray) =>
  (x: Operand): Tensor =>
    keep(f(lend(x)));
const binary =
  (f: (x: JaxOperand, y: JaxOperand) => JaxArray) =>
  (x: Operand, y: Operand): Tensor =>
    keep(f(lend(x), lend(y)));

type Unary = (x: Operand) => Tensor;
type Binary = (x: Operand, y: Operand) => Tensor;

export const add: Binary = binary(np.add);
export const subtract: Binary = binary(np.subtract);
export const multiply: Binary = binary(np.multiply);
/** Quotient of floats. */
export const divide: Binary = binary(np.trueDivide);
export const minimum: Binary = binary(np.minimum);
export const maximum: Binary = binary(np.maximum);
export const negate: Unary = unary(np.negative);
export const exp: Unary = unary(np.exp);
/** Natural logarithm. */
export const log: Unary = unary(np.log);
export const sqrt: Unary = unary(np.sqrt);
export const square: Unary = unary(np.square);
export const tanh: Unary = unary(np.tanh);
/** The error function, 2/√π ∫₀ˣ exp(−t²) dt. */
export const erf: Unary = unary(lax.erf);
/** 1 − erf(x), exact for large x too. */
export const erfc: Unary = unary(lax.erfc);
/** max(x, 0). */
export const relu: Unary = unary(nn.relu);
/** The identity, whose gradient is zero. */
export const stopGradient: Unary = unary(lax.stopGradient);

// Comparisons return bool.
export const equal: Binary = binary(np.equal);
export const notEqual: Binary = binary(np.notEqual);
export const less: Binary = binary(np.less);
export const lessEqual: Binary = binary(np.lessEqual);
export const greater: Binary = binary(np.greater);
export const greaterEqual: Binary = binary(np.greaterEqual);

/** `x` where `condition` holds, otherwise `y`; all three broadcast. */
export const where = (condition: Tensor, x: Operand, y: Operand): Tensor =>
  keep(np.where(lend(condition), lend(x), lend(y)));

/** Matrix product over the last two axes; leading axes are batch axes. [..., m, k] × [..., k, n] -> [..., m, n] */
export const matmul = (x: Tensor, y: Tensor): Tensor => keep(np.matmul(lend(x), lend(y)));

/** Sum of products by Einstein's convention: `einsum("btnh,bsnh->bnts", q, k)`. */
export const einsum = (subscripts: string, ...operands: readonly Tensor[]): Tensor =>
  keep(np.einsum(subscripts, ...operands.map((x) => lend(x))));

/** Permutes the axes; without `permutation` it reverses them. */
export const transpose = (x: Tensor, permutation?: readonly number[]): Tensor =>
  keep(np.transpose(lend(x), permutation && [...permutation]));

/** The same elements in another shape; one size may be −1 and follows from the others. */
export const reshape = (x: Tensor, shape: readonly number[]): Tensor => keep(np.reshape(lend(x), [...shape]));

export const broadcastTo = (x: Operand, shape: readonly number[]): Tensor =>
  keep(np.broadcastTo(lend(x), [...shape]));

export interface ReduceOptions {
  /** The axis or axes to reduce, negative ones counted from the end; all by default. */
  readonly axis?: number | readonly number[];
  /** Leaves reduced axes in the shape, with size 1. */
  readonly keepdims?: boolean;
}

const reduction =
  (f: (x: JaxArray, axis: number[] | null, o: { keepdims: boolean }) => JaxArray) =>
  (x: Tensor, { axis, keepdims = false }: ReduceOptions = {}): Tensor =>
    keep(f(lend(x), axis === undefined ? null : typeof axis === "number" ? [axis] : [...axis], { keepdims }));

type Reduction = (x: Tensor, options?: ReduceOptions) => Tensor;
export const sum: Reduction = reduction(np.sum);
export const mean: Reduction = reduction(np.mean);
/** The largest elements; the gradient of ties is shared among them. */
export const max: Reduction = reduction(np.max);

/** Index (int32) of the largest element along `axis`, the first one of ties. */
export const argmax = (x: Tensor, axis = -1): Tensor => keep(np.argmax(lend(x), axis));

export const concatenate = (tensors: readonly Tensor[], axis = 0): Tensor =>
  keep(
    np.concatenate(
      tensors.map((x) => lend(x)),
      axis,
    ),
  );

/** Cuts `x` along `axis` into parts of these sizes, which must add up to the axis. */
export function split(x: Tensor, sizes: readonly number[], axis = 0): Tensor[] {
  const length = x.shape.at(axis);
  const total = sizes.reduce((a, b) => a + b, 0);
  if (length !== total)
    throw new ConfigError(
      `split: expected sizes that add up to ${length}, axis ${axis} of [${x.shape}], got [${sizes}].`,
    );
  if (sizes.length === 1) return [keep(lend(x))];
  let end = 0;
  const ends = sizes.slice(0, -1).map((size) => (end += size));
  return np.split(lend(x), ends, axis).map(keep);
}

/** Elements `start` … `end` − 1 along `axis`. */
export function slice(x: Tensor, start: number, end: number, axis = 0): Tensor {
  const at = axis < 0 ? axis + x.ndim : axis;
  const whole: [][] = Array.from({ length: at }, () => []);
  return keep(lend(x).slice(...whole, [start, end]));
}

/** Adds zeros: one pair [before, after] for each axis. */
export const pad = (x: Tensor, widths: readonly (readonly [number, number])[]): Tensor =>
  keep(
    np.pad(
      lend(x),
      widths.map(([before, after]) => [before, after]),
    ),
  );

/** Entries of `x` along `axis` at integer indices: rows of an embedding table. */
export const take = (x: Tensor, indices: Tensor, axis = 0): Tensor =>
  keep(np.take(lend(x), lend(indices), axis));

/** Integers as rows of the identity matrix. [...] -> float32 [..., classes] */
export const oneHot = (indices: Tensor, classes: number): Tensor => keep(nn.oneHot(lend(indices), classes));

const JAX_DTYPE: Record<DType, JaxDType> = {
  float32: JaxDType.Float32,
  int32: JaxDType.Int32,
  uint32: JaxDType.Uint32,
  bool: JaxDType.Bool,
};

export const cast = (x: Tensor, dtype: DType): Tensor => keep(np.astype(lend(x), JAX_DTYPE[dtype]));

/** A host tensor as a constant of the computation. */
export function constant({ shape, data }: HostTensor): Tensor {
  const dtype = dtypeOf(data);
  if (dtype === "bool") return cast(constant({ shape, data: Int32Array.from(data) }), dtype);
  return keep(
    np.array(data.slice() as Float32Array<ArrayBuffer>, { shape: [...shape], dtype: JAX_DTYPE[dtype] }),
  );
}

/** True on and below the diagonal. bool [size, size] */
export const lowerTriangle = (size: number): Tensor => keep(np.tri(size, size, 0, { dtype: JaxDType.Bool }));

export interface ConvolutionOptions {
  readonly stride?: number;
  /** Zeros added on all four sides. */
  readonly padding?: number;
}

/** Cross-correlation. x [batch, in, height, width], kernel [out, in, kh, kw] -> [batch, out, height', width'] */
export const conv2d = (
  x: Tensor,
  kernel: Tensor,
  { stride = 1, padding = 0 }: ConvolutionOptions = {},
): Tensor =>
  keep(
    lax.convGeneralDilated(
      lend(x),
      lend(kernel),
      [stride, stride],
      [
        [padding, padding],
        [padding, padding],
      ],
    ),
  );

/** Largest of each window; windows that do not fit are left out. [batch, channels, h, w] -> [batch, channels, h', w'] */
export const maxPool2d = (x: Tensor, window: number, stride: number = window): Tensor =>
  keep(lax.reduceWindow(lend(x), (patch) => np.max(patch), [window, window], [stride, stride]));

/**
 * Random words of a Threefry key (uint32[2]): the same key always gives the same words. uint32 [length]
 * A word costs about 80 integer operations; derive what you can from one.
 */
export const randomBits = (key: Tensor, length: number): Tensor => keep(random.bits(lend(key), [length]));

/** As `randomBits`, but both words of each Threefry block, for half the work a word. uint32 [pairs, 2] */
export const randomPairs = (key: Tensor, pairs: number): Tensor => keep(random.split(lend(key), pairs));

/** Independent keys made of one key. uint32[2] each */
export function splitKey(key: Tensor, count: number): Tensor[] {
  const rows = Array.from({ length: count }, () => 1);
  return split(randomPairs(key, count), rows).map((row) => reshape(row, [2]));
}

/** An independent key made of a key and a whole number below 2³²: for randomness that is told apart by a number. */
export function foldIn(key: Tensor, label: number): Tensor {
  // Both words change, so that keys that callers make by counting up one word don't meet these.
  const words = Uint32Array.of(Math.imul(label, 0x9e3779b9), label);
  return randomBits(add(key, constant({ shape: [2], data: words })), 2);
}

/** The upper 16 bits of words, as floats from 0 to 65535. */
export const upperHalf = (words: Tensor): Tensor =>
  cast(keep(np.rightShift(lend(words), np.array(16, { dtype: JaxDType.Uint32 }))), "float32");

/** The lower 16 bits of words, as floats from 0 to 65535. */
export const lowerHalf = (words: Tensor): Tensor =>
  cast(keep(np.bitwiseAnd(lend(words), np.array(0xffff, { dtype: JaxDType.Uint32 }))), "float32");

/** Uniform on [0, 1) with 23 bits. float32 [length] */
export const uniform = (key: Tensor, length: number): Tensor => keep(random.uniform(lend(key), [length]));
