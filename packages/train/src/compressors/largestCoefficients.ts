// The largest coefficients of a vector's cosine transform, chunk by chunk, as a message: all values, then their places within
// their chunks. Source: Peng, Quesnelle and Kingma, "DeMo: decoupled momentum optimization" (arXiv 2411.19870), algorithm 1.

import type { VectorLayout } from "@atoll/tensor";
import { collectAtLeast, decayAndCollect, magnitudeReachedBy, replaceBySigns } from "@atoll/tensor/vectors";
import { type Band, type ChunkedDct, chunkedDct } from "./chunkedDct.ts";
import { bitsOf, createTopK } from "./topK.ts";

const INDEX_BYTES = 2;
const VALUE_BYTES = 4;

type Vectors = Readonly<Record<string, Float32Array>>;
type Numbers = Readonly<Record<string, number>>;

/** δ, g [P]; message [words]; scratch [the plan's]; thresholds [chunks], see `coefficientsEncode`. */
export interface TakenVectors {
  readonly spectrum: Float32Array;
  readonly gradients: Float32Array;
  readonly message: Float32Array;
  readonly scratch: Float32Array;
  readonly thresholds: Float32Array;
}

export interface CoefficientPlan {
  readonly dct: ChunkedDct;
  /** Of a message. */
  readonly words: number;
  /** Coefficients in a message, whose values come first. */
  readonly count: number;
  /** Elements of scratch that an operation needs. */
  readonly scratch: number;
  /** δ ← decay · δ + factor · DCT(g); then the largest coefficients δ of each chunk are moved to a message: they become zero. */
  take(vectors: TakenVectors, scalars: { readonly decay: number; readonly factor: number }): void;
  /** Adds those of a chunk to its coefficients. */
  addDecoded(message: Float32Array, chunk: number, coefficients: Float32Array): void;
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
  const among = amongCandidates(longest);
  const select = selection(longest, among);
  const indices = new Uint32Array(longest);
  const placesOf = ({ buffer, byteOffset }: Float32Array): Uint16Array =>
    new Uint16Array(buffer, byteOffset + count * VALUE_BYTES, count);
  return {
    dct,
    words: Math.ceil((count * (VALUE_BYTES + INDEX_BYTES)) / VALUE_BYTES),
    count,
    scratch: dct.scratch + 2 * longest,
    take({ spectrum, gradients, message, scratch, thresholds }, scalars) {
      const places = placesOf(message);
      const forSelection = scratch.subarray(dct.scratch);
      const out = forSelection.subarray(0, longest);
      const guesses = bitsOf(thresholds);
      dct.forward(gradients, scratch.subarray(0, dct.scratch), (c, coefficients) => {
        const { start, end, k, at } = ranges[c]!;
        const chunk = spectrum.subarray(start, end);
        const threshold = thresholds[c]! > 0 ? guesses[c]! : NONE;
        const count = decayAndCollect(chunk, coefficients, scalars, { threshold, out });
        if (count < k || !among(chunk, k, indices, { out, count })) select(chunk, k, indices, forSelection);
        let least = Number.POSITIVE_INFINITY;
        for (let j = 0; j < k; j++) {
          const place = indices[j]!;
          const value = chunk[place]!;
          least = Math.min(least, Math.abs(value));
          message[at + j] = value;
          places[at + j] = place;
          chunk[place] = 0;
        }
        thresholds[c] = NEXT_THRESHOLD * least;
      });
    },
    addDecoded(message, chunk, coefficients) {
      const places = placesOf(message);
      const { k, at } = ranges[chunk]!;
      for (let j = at; j < at + k; j++) coefficients[places[j]!]! += message[j]!;
    },
  };
}

/** Bits that no magnitude reaches. */
const NONE = 0x7fffffff;

/** Part of the least magnitude that was sent of a chunk which candidates of the next step have to reach. */
const NEXT_THRESHOLD = 0.9;

type Select = (chunk: Float32Array, k: number, indices: Uint32Array, scratch: Float32Array) => void;

/** As `SelectTopK`, where the places of so many candidates are in `out`, k or more; says whether there was room for all. */
type Among = (
  chunk: Float32Array,
  k: number,
  indices: Uint32Array,
  found: { readonly out: Float32Array; readonly count: number },
) => boolean;

function amongCandidates(longest: number): Among {
  const select = createTopK(longest);
  const values = new Uint32Array(longest);
  return (chunk, k, indices, { out, count }) => {
    if (count > out.length) return false;
    const bits = bitsOf(chunk);
    const places = bitsOf(out);
    for (let i = 0; i < count; i++) values[i] = bits[places[i]!]!;
    select(values, { start: 0, end: count, k }, indices, 0);
    for (let j = 0; j < k; j++) indices[j] = places[indices[j]!]!;
    return true;
  };
}

/** As `SelectTopK` does it for a whole chunk; where kernels serve the vectors, of those elements that come into question. */
function selection(longest: number, among: Among): Select {
  const select = createTopK(longest);
  return (chunk, k, indices, scratch) => {
    const threshold = magnitudeReachedBy(k, chunk, scratch);
    const out = scratch.subarray(0, longest);
    // Above zero, since all zeros would come into question.
    const count = threshold ? collectAtLeast(chunk, threshold, out) : 0;
    if (count < k || !among(chunk, k, indices, { out, count }))
      select(bitsOf(chunk), { start: 0, end: chunk.length, k }, indices, 0);
  };
}

/**
 * δ ← βδ + η DCT(g); the largest elements of δ go into the message, and become zero. spectrum (δ), gradients (g) [P]; message
 * [words]; work [the plan's scratch]; thresholds [chunks]: where the last call left off, 0 at first, which decide how long this
 * takes, and nothing else. Numbers: beta (β), rate (η), and those of the plan
 */
export function coefficientsEncode(vectors: Vectors, numbers: Numbers): void {
  const { take } = coefficientPlan(numbers);
  const { spectrum, gradients, message, work, thresholds } = vectors as Readonly<
    Record<"spectrum" | "gradients" | "message" | "work" | "thresholds", Float32Array>
  >;
  const scalars = { decay: numbers.beta!, factor: numbers.rate! };
  take({ spectrum, gradients, message, scratch: work, thresholds }, scalars);
}

/** The bands that part number `part` of `parts` does: the same number of elements each, as nearly as bands allow. */
const bandsOf = ({ bands }: ChunkedDct, { part, parts, size }: Numbers): readonly Band[] =>
  bands.filter(({ start }) => Math.floor((start * parts!) / size!) === part);

/**
 * The sign of what the sum of all messages stands for, which is that of their mean, for one part of all chunks. "0", "1" …: the
 * members' messages; signs [P]; work [the plan's scratch]. Numbers: members, part, parts, and those of the plan
 */
export function coefficientSigns(vectors: Vectors, numbers: Numbers): void {
  const { dct, addDecoded } = coefficientPlan(numbers);
  const { signs, work } = vectors as Readonly<Record<"signs" | "work", Float32Array>>;
  const bands = bandsOf(dct, numbers);
  const addAll = (chunk: number, coefficients: Float32Array): void => {
    for (let member = 0; member < numbers.members!; member++)
      addDecoded(vectors[member]!, chunk, coefficients);
  };
  dct.inverse(signs, work.subarray(0, dct.scratch), addAll, bands);
  for (const band of bands) replaceBySigns(signs, band);
}
