// The largest coefficients of a vector's cosine transform, chunk by chunk, as a message: all values, then their places within
// their chunks. Source: Peng, Quesnelle and Kingma, "DeMo: decoupled momentum optimization" (arXiv 2411.19870), algorithm 1.

import type { VectorLayout } from "@atoll/tensor";
import { decayAndAdd, subtractVectors } from "@atoll/tensor/vectors";
import { type ChunkedDct, chunkedDct } from "./chunkedDct.ts";
import { bitsOf, createTopK } from "./topK.ts";

const INDEX_BYTES = 2;
const VALUE_BYTES = 4;

type Vectors = Readonly<Record<string, Float32Array>>;
type Numbers = Readonly<Record<string, number>>;

export interface CoefficientPlan {
  readonly dct: ChunkedDct;
  /** Of a message. */
  readonly words: number;
  /** Writes the largest coefficients of each chunk. */
  encode(coefficients: Float32Array, message: Float32Array): void;
  /** Adds them to a vector of coefficients. */
  addDecoded(message: Float32Array, coefficients: Float32Array): void;
}

/** A layout and the options as an operation's numbers. */
export const coefficientNumbers = (
  { entries, size }: VectorLayout,
  options: { readonly chunkSize: number; readonly topK: number },
): Numbers => ({
  ...options,
  size,
  tensors: entries.length,
  ...Object.fromEntries(
    entries.flatMap(({ shape, size: length }, i) => [
      [`rows${i}`, shape.length > 1 ? shape[0]! : 1],
      [`elements${i}`, length],
    ]),
  ),
});

/** Plans by the numbers they are made of: they have tables and scratch, and a run has one. */
const plans = new Map<string, CoefficientPlan>();
const KEPT_PLANS = 4;

export function coefficientPlan(numbers: Numbers): CoefficientPlan {
  const key = [
    numbers.chunkSize,
    numbers.topK,
    ...tensorsOf(numbers).map(({ shape }) => shape.join("x")),
  ].join();
  const plan = plans.get(key) ?? planOf(numbers);
  const oldest = plans.keys().next();
  if (plans.size === KEPT_PLANS && !plans.has(key) && !oldest.done) plans.delete(oldest.value);
  plans.set(key, plan);
  return plan;
}

function tensorsOf(numbers: Numbers): VectorLayout["entries"] {
  let offset = 0;
  return Array.from({ length: numbers.tensors! }, (_, i) => {
    const rows = numbers[`rows${i}`]!;
    const size = numbers[`elements${i}`]!;
    const entry = { path: `${i}`, shape: rows === 1 ? [size] : [rows, size / rows], offset, size };
    offset += size;
    return entry;
  });
}

function planOf(numbers: Numbers): CoefficientPlan {
  const entries = tensorsOf(numbers);
  const dct = chunkedDct({ entries, size: numbers.size!, matrixSize: 0 }, numbers.chunkSize!);
  const { chunks } = dct;
  const longest = chunks.reduce((most, { start, end }) => Math.max(most, end - start), 0);
  const select = createTopK(longest);
  const ranges = chunks.map(({ start, end }) => ({ start, end, k: Math.min(numbers.topK!, end - start) }));
  const count = ranges.reduce((total, { k }) => total + k, 0);
  const indices = new Uint32Array(count);
  const placesOf = ({ buffer, byteOffset }: Float32Array): Uint16Array =>
    new Uint16Array(buffer, byteOffset + count * VALUE_BYTES, count);
  return {
    dct,
    words: Math.ceil((count * (VALUE_BYTES + INDEX_BYTES)) / VALUE_BYTES),
    encode(coefficients, message) {
      const bits = bitsOf(coefficients);
      const places = placesOf(message);
      let at = 0;
      for (const range of ranges) {
        select(bits, range, indices, at);
        for (const end = at + range.k; at < end; at++) {
          message[at] = coefficients[indices[at]!]!;
          places[at] = indices[at]! - range.start;
        }
      }
    },
    addDecoded(message, coefficients) {
      const places = placesOf(message);
      let at = 0;
      for (const { start, k } of ranges)
        for (const end = at + k; at < end; at++) coefficients[start + places[at]!]! += message[at]!;
    },
  };
}

/**
 * δ ← βδ + ηg; the largest coefficients of δ go into the message, and δ loses them. momentum (δ), gradients (g, which is
 * overwritten), coefficients (scratch) [P]; message [words]; work: the transform's scratch. Numbers: beta (β), rate (η), and
 * those of the plan
 */
export function coefficientsEncode(vectors: Vectors, numbers: Numbers): void {
  const { dct, encode, addDecoded } = coefficientPlan(numbers);
  const momentum = vectors.momentum!;
  const gradients = vectors.gradients!;
  const coefficients = vectors.coefficients!;
  const message = vectors.message!;
  decayAndAdd(momentum, gradients, { decay: numbers.beta!, factor: numbers.rate! });
  dct.forward(momentum, coefficients, vectors.work);
  encode(coefficients, message);
  coefficients.fill(0);
  addDecoded(message, coefficients);
  dct.inverse(coefficients, gradients, vectors.work);
  subtractVectors(momentum, momentum, gradients);
}

/**
 * The sign of what the sum of all messages stands for, which is that of their mean. messages: one after another; signs,
 * coefficients (scratch) [P]; work: the transform's scratch. Numbers: members, and those of the plan
 */
export function coefficientSigns(vectors: Vectors, numbers: Numbers): void {
  const { dct, words, addDecoded } = coefficientPlan(numbers);
  const signs = vectors.signs!;
  const coefficients = vectors.coefficients!.fill(0);
  for (let member = 0; member < numbers.members!; member++)
    addDecoded(vectors.messages!.subarray(member * words, (member + 1) * words), coefficients);
  dct.inverse(coefficients, signs, vectors.work);
  for (let i = 0; i < signs.length; i++) signs[i] = Math.sign(signs[i]!);
}
