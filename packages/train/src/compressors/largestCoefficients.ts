// The largest coefficients of a vector's cosine transform, chunk by chunk, as a message: all values, then their places within
// their chunks. Source: Peng, Quesnelle and Kingma, "DeMo: decoupled momentum optimization" (arXiv 2411.19870), algorithm 1.

import type { VectorLayout } from "@atoll/tensor";
import { collectAtLeast, decayAndAdd, magnitudeReachedBy } from "@atoll/tensor/vectors";
import { type Band, type ChunkedDct, chunkedDct } from "./chunkedDct.ts";
import { bitsOf, createTopK } from "./topK.ts";

const INDEX_BYTES = 2;
const VALUE_BYTES = 4;

type Vectors = Readonly<Record<string, Float32Array>>;
type Numbers = Readonly<Record<string, number>>;

export interface CoefficientPlan {
  readonly dct: ChunkedDct;
  /** Of a message. */
  readonly words: number;
  /** Coefficients in a message, whose values come first. */
  readonly count: number;
  /** Elements of scratch that an operation needs. */
  readonly scratch: number;
  /** Moves the largest coefficients of each chunk to a message: they become zero. */
  take(coefficients: Float32Array, message: Float32Array, scratch: Float32Array): void;
  /** Adds those of a band's chunks to a vector of coefficients. */
  addDecoded(message: Float32Array, coefficients: Float32Array, band: Band): void;
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

/** A chunk, how many of its coefficients are sent, and where they begin in a message. */
interface Selected {
  readonly start: number;
  readonly end: number;
  readonly k: number;
  readonly at: number;
}

function planOf(numbers: Numbers): CoefficientPlan {
  const entries = tensorsOf(numbers);
  const dct = chunkedDct({ entries, size: numbers.size!, matrixSize: 0 }, numbers.chunkSize!);
  let count = 0;
  const ranges = dct.chunks.map(({ start, end }): Selected => {
    const k = Math.min(numbers.topK!, end - start);
    count += k;
    return { start, end, k, at: count - k };
  });
  const longest = ranges.reduce((most, { start, end }) => Math.max(most, end - start), 0);
  const select = selection(longest);
  const indices = new Uint32Array(longest);
  const placesOf = ({ buffer, byteOffset }: Float32Array): Uint16Array =>
    new Uint16Array(buffer, byteOffset + count * VALUE_BYTES, count);
  return {
    dct,
    words: Math.ceil((count * (VALUE_BYTES + INDEX_BYTES)) / VALUE_BYTES),
    count,
    scratch: Math.max(dct.scratch, 2 * longest),
    take(coefficients, message, scratch) {
      const places = placesOf(message);
      for (const { start, end, k, at } of ranges) {
        const chunk = coefficients.subarray(start, end);
        select(chunk, k, indices, scratch);
        for (let j = 0; j < k; j++) {
          const place = indices[j]!;
          message[at + j] = chunk[place]!;
          places[at + j] = place;
          chunk[place] = 0;
        }
      }
    },
    addDecoded(message, coefficients, { first, last }) {
      const places = placesOf(message);
      for (const { start, k, at } of ranges.slice(first, last + 1))
        for (let j = at; j < at + k; j++) coefficients[start + places[j]!]! += message[j]!;
    },
  };
}

type Select = (chunk: Float32Array, k: number, indices: Uint32Array, scratch: Float32Array) => void;

/** As `SelectTopK` does it for a whole chunk; where kernels serve the vectors, of those elements that come into question. */
function selection(longest: number): Select {
  const select = createTopK(longest);
  const values = new Uint32Array(longest);
  return (chunk, k, indices, scratch) => {
    const bits = bitsOf(chunk);
    const threshold = magnitudeReachedBy(k, chunk, scratch);
    const room = scratch.subarray(0, longest);
    // Above zero, since all zeros would come into question.
    const count = threshold ? collectAtLeast(chunk, threshold, room) : 0;
    if (count < k) {
      select(bits, { start: 0, end: chunk.length, k }, indices, 0);
      return;
    }
    const places = bitsOf(room);
    for (let i = 0; i < count; i++) values[i] = bits[places[i]!]!;
    select(values, { start: 0, end: count, k }, indices, 0);
    for (let j = 0; j < k; j++) indices[j] = places[indices[j]!]!;
  };
}

/**
 * δ ← βδ + η DCT(g); the largest elements of δ go into the message, and become zero. spectrum (δ), gradients (g),
 * coefficients (scratch) [P]; message [words]; work [the plan's scratch]. Numbers: beta (β), rate (η), and those of the plan
 */
export function coefficientsEncode(vectors: Vectors, numbers: Numbers): void {
  const { dct, take } = coefficientPlan(numbers);
  const { spectrum, gradients, coefficients, message, work } = vectors;
  dct.forward(gradients!, coefficients!, work!);
  decayAndAdd(spectrum!, coefficients!, { decay: numbers.beta!, factor: numbers.rate! });
  take(spectrum!, message!, work!);
}

/** The bands that part number `part` of `parts` does: the same number of elements each, as nearly as bands allow. */
const bandsOf = ({ bands }: ChunkedDct, { part, parts, size }: Numbers): readonly Band[] =>
  bands.filter(({ start }) => Math.floor((start * parts!) / size!) === part);

/**
 * The sign of what the sum of all messages stands for, which is that of their mean, for one part of all chunks. messages: one
 * after another; signs, coefficients (scratch) [P]; work [the plan's scratch]. Numbers: members, part, parts, and those of
 * the plan
 */
export function coefficientSigns(vectors: Vectors, numbers: Numbers): void {
  const { dct, words, addDecoded } = coefficientPlan(numbers);
  const { signs, coefficients, messages, work } = vectors;
  const bands = bandsOf(dct, numbers);
  for (const band of bands) {
    coefficients!.fill(0, band.start, band.end);
    for (let member = 0; member < numbers.members!; member++)
      addDecoded(messages!.subarray(member * words, (member + 1) * words), coefficients!, band);
  }
  dct.inverse(coefficients!, signs!, work!, bands);
  for (const { start, end } of bands) for (let i = start; i < end; i++) signs![i] = Math.sign(signs![i]!);
}
