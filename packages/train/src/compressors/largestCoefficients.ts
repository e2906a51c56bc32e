// The largest coefficients of a vector's cosine transform, chunk by chunk, as a message: all values, then their places within
// their chunks. Source: Peng, Quesnelle and Kingma, "DeMo: decoupled momentum optimization" (arXiv 2411.19870), algorithm 1.

import type { VectorLayout } from "@atoll/tensor";
import { NOTHING, type TakeLargest, takingOf, takingScratch } from "@atoll/tensor/vectors";
import { type ChunkedDct, chunkedDct, type OfChunk } from "./chunkedDct.ts";
import type { Band } from "./tiles.ts";
import { bitsOf, createTopK } from "./topK.ts";

const INDEX_BYTES = 2;
const VALUE_BYTES = 4;

/** Chunks that are marked before the largest of them are taken: encoding takes 8 % less than one by one, and no less with more. */
const MARKED = 4;

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
  /** Elements of scratch that an operation needs, which is prepared once. */
  readonly scratch: number;
  prepare(scratch: Float32Array): void;
  /** δ ← decay · δ + factor · DCT(g); then the largest coefficients δ of each chunk are moved to a message: they become zero. */
  take(vectors: TakenVectors, scalars: { readonly decay: number; readonly factor: number }): void;
  /** What adds a chunk's part of all messages to its coefficients. */
  adding(messages: readonly Float32Array[]): OfChunk;
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

/** A plan and the numbers that it is made of. */
interface KeptPlan {
  readonly plan: CoefficientPlan;
  readonly numbers: readonly (readonly [name: string, value: number])[];
}

/** The last one first: they have tables and scratch, and a run has one. */
const plans: KeptPlan[] = [];
const KEPT_PLANS = 4;

/** Which plan it is, is asked by every operation: numbers are compared, since a key would take longer to write. */
export function coefficientPlan(numbers: Numbers): CoefficientPlan {
  const place = plans.findIndex((kept) => kept.numbers.every(([name, value]) => numbers[name] === value));
  if (place === 0) return plans[0]!.plan;
  const kept = place === -1 ? { plan: planOf(numbers), numbers: numbersOf(numbers) } : plans[place]!;
  if (place !== -1) plans.splice(place, 1);
  plans.unshift(kept);
  plans.length = Math.min(plans.length, KEPT_PLANS);
  return kept.plan;
}

function numbersOf(numbers: Numbers): KeptPlan["numbers"] {
  const tensors = Array.from({ length: numbers.tensors! }, (_, i) => [`rows${i}`, `elements${i}`]).flat();
  return ["tensors", "chunkSize", "topK", ...tensors].map((name) => [name, numbers[name]!]);
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
  const placesOf = ({ buffer, byteOffset }: Float32Array): Uint16Array =>
    new Uint16Array(buffer, byteOffset + count * VALUE_BYTES, count);
  const takeOneByOne = takingOneByOne(longest);
  const scratchLengths = [dct.scratch, takingScratch(longest), ...new Array(MARKED).fill(dct.marks)];
  return {
    dct,
    words: Math.ceil((count * (VALUE_BYTES + INDEX_BYTES)) / VALUE_BYTES),
    count,
    scratch: scratchLengths.reduce((sum, length) => sum + length),
    prepare: (scratch) => dct.prepare(scratch.subarray(0, dct.scratch)),
    take({ spectrum, gradients, message, scratch: whole, thresholds }, scalars) {
      const [scratch, forTaking, ...marks] = partsOf(whole, scratchLengths);
      const taken = { x: spectrum, values: message, places: placesOf(message) };
      const takes = marks.map(
        (own) => takingOf({ ...taken, marks: own, scratch: forTaking! }) ?? takeOneByOne(taken),
      );
      const guesses = bitsOf(thresholds);
      const sum = { ...scalars, sum: spectrum, marks };
      dct.forwardAndAdd(gradients, scratch!, sum, {
        threshold: (chunk) => guesses[chunk]!,
        use(chunk) {
          const range = ranges[chunk]!;
          const take = takes[chunk % takes.length]!;
          guesses[chunk] = take(range, range.k, range.at, guesses[chunk]!);
        },
      });
    },
    adding(messages) {
      const members = messages.map((values) => ({ values, places: placesOf(values) }));
      return (chunk, coefficients) => {
        const { k, at } = ranges[chunk]!;
        for (const { values, places } of members)
          for (let j = at; j < at + k; j++) coefficients[places[j]!]! += values[j]!;
      };
    },
  };
}

/** [Σ lengths or more] -> one part of each length */
function partsOf(whole: Float32Array, lengths: readonly number[]): readonly Float32Array[] {
  let end = 0;
  return lengths.map((length) => {
    end += length;
    return whole.subarray(end - length, end);
  });
}

/** As `takingOf`, in vectors of any origin and without marks. */
function takingOneByOne(
  longest: number,
): (
  vectors: Readonly<Record<"x" | "values", Float32Array>> & { readonly places: Uint16Array },
) => TakeLargest {
  const select = createTopK(longest);
  const indices = new Uint32Array(longest);
  return ({ x, values, places }) =>
    ({ start, end }, k, to) => {
      select(bitsOf(x), { start, end, k }, indices, 0);
      for (let j = 0; j < k; j++) {
        const index = indices[j]!;
        const value = x[index]!;
        values[to + j] = value;
        places[to + j] = index - start;
        x[index] = 0;
      }
      return NOTHING;
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
  const { dct, adding } = coefficientPlan(numbers);
  const { signs, work } = vectors as Readonly<Record<"signs" | "work", Float32Array>>;
  const bands = bandsOf(dct, numbers);
  const messages = Array.from({ length: numbers.members! }, (_, member) => vectors[member]!);
  dct.inverse(signs, work.subarray(0, dct.scratch), adding(messages), { bands, signs: true });
}
