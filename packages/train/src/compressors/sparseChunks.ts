// The largest elements of each chunk of a vector as a message: their places within their chunks, packed, then their values, in
// two bits or as they are. What is left out stays in the vector. Source: Sarfi et al., "Communication efficient LLM
// pre-training with SparseLoCo" (arXiv 2508.15706), §3.

import type { Codec } from "@atoll/comm";
import {
  clearVector,
  copyVector,
  decayAndAddDifference,
  marksLength,
  NOTHING,
  takingOf,
  takingScratch,
} from "@atoll/tensor/vectors";
import type { LocalOperation, OperationNumbers } from "../localTask.ts";
import { packBits, packedBytes, unpackBits } from "./bits.ts";
import { float32 } from "./float32.ts";
import { bitsOf, createTopK } from "./topK.ts";
import { twoBit } from "./twoBit.ts";
import { fromWords, wireBytes } from "./wire.ts";

const FLOAT_BYTES = 4;

export interface Sparsity {
  /** Elements among which the largest are chosen, at most 2¹⁶. */
  readonly chunkSize: number;
  /** Part of each chunk that is sent. */
  readonly density: number;
  /** Whether values are sent in two bits. */
  readonly quantise: boolean;
}

/** The same as an operation's numbers. */
export const sparsityNumbers = ({ chunkSize, density, quantise }: Sparsity): OperationNumbers => ({
  chunkSize,
  density,
  quantise: Number(quantise),
});

const sparsityOf = ({ chunkSize, density, quantise }: OperationNumbers): Sparsity => ({
  chunkSize: chunkSize!,
  density: density!,
  quantise: quantise === 1,
});

/** Elements of a chunk that are sent. */
const keptOf = ({ density }: Sparsity, size: number): number => Math.max(1, Math.round(density * size));

const codecOf = (sparsity: Sparsity): Codec =>
  sparsity.quantise ? twoBit({ blockSize: keptOf(sparsity, sparsity.chunkSize) }) : float32;

const placeWidth = ({ chunkSize }: Sparsity): number => Math.ceil(Math.log2(chunkSize));

/** Elements of a vector that are sent. */
function sentElements(length: number, sparsity: Sparsity): number {
  const { chunkSize } = sparsity;
  const rest = length % chunkSize;
  const whole = Math.floor(length / chunkSize) * keptOf(sparsity, chunkSize);
  return whole + (rest === 0 ? 0 : keptOf(sparsity, rest));
}

/** Bytes that `length` elements are encoded in. */
export function messageBytes(length: number, sparsity: Sparsity): number {
  const count = sentElements(length, sparsity);
  return packedBytes(count, placeWidth(sparsity)) + codecOf(sparsity).bytes(count);
}

/** Lengths of what operations on vectors of so many elements need. */
export function roomOf(
  length: number,
  sparsity: Sparsity,
): Readonly<Record<"message" | "values" | "places" | "marks" | "scratch", number>> {
  const count = sentElements(length, sparsity);
  const longest = Math.min(length, sparsity.chunkSize);
  return {
    message: wireBytes(messageBytes(length, sparsity)) / FLOAT_BYTES,
    values: count,
    places: Math.ceil(count / 2),
    marks: marksLength(longest),
    scratch: takingScratch(longest),
  };
}

/** What `sparseDecode` makes of so many messages of vectors of so many elements. */
export const entriesLength = (length: number, sparsity: Sparsity, messages: number): number =>
  2 * messages * sentElements(length, sparsity);

/** A chunk, how many of its elements are sent, and how many are of the chunks before. */
interface Chunk {
  readonly start: number;
  readonly end: number;
  readonly k: number;
  readonly at: number;
}

function* chunksOf(length: number, sparsity: Sparsity): Generator<Chunk> {
  let at = 0;
  for (let start = 0; start < length; start += sparsity.chunkSize) {
    const end = Math.min(start + sparsity.chunkSize, length);
    const k = keptOf(sparsity, end - start);
    yield { start, end, k, at };
    at += k;
  }
}

/**
 * e ← βe + (θ₀ − θ); the largest elements of each chunk go into the message, and what a receiver makes of them is subtracted.
 * residual (e), anchor (θ₀), parameters (θ) [P]; the others: see `roomOf`. Numbers: beta, and `sparsityNumbers`
 */
export const sparseEncode: LocalOperation = (vectors, numbers) => {
  const { residual, anchor, parameters, message, values } = vectors as Readonly<
    Record<"residual" | "anchor" | "parameters" | "message" | "values", Float32Array>
  >;
  const sparsity = sparsityOf(numbers);
  const chunks = [...chunksOf(residual.length, sparsity)];
  decayAndAddDifference(residual, anchor, parameters, numbers.beta!);
  const places = takeLargest(vectors, chunks);
  const codec = codecOf(sparsity);
  const encoded = codec.encode(values);
  const placeBytes = packedBytes(values.length, placeWidth(sparsity));
  const bytes = fromWords(message, placeBytes + encoded.length);
  packBits(Uint32Array.from(places), placeWidth(sparsity), bytes);
  bytes.set(encoded, placeBytes);
  const received = new Float32Array(values.length);
  codec.decode(encoded, received);
  for (const { start, k, at } of chunks)
    for (let j = at; j < at + k; j++) residual[start + places[j]!] = values[j]! - received[j]!;
};

/** Copies the largest elements of each chunk to `values`, in their order. @returns their places within their chunks */
function takeLargest(vectors: Readonly<Record<string, Float32Array>>, chunks: readonly Chunk[]): Uint16Array {
  const {
    residual: x,
    values,
    places: room,
    marks,
    scratch,
  } = vectors as Readonly<Record<"residual" | "values" | "places" | "marks" | "scratch", Float32Array>>;
  const places = new Uint16Array(room.buffer, room.byteOffset, values.length);
  const take = takingOf({ x, values, places, marks, scratch });
  if (take !== undefined) {
    for (const chunk of chunks) {
      clearVector(marks);
      take(chunk, chunk.k, chunk.at, NOTHING);
    }
    return places;
  }
  const longest = chunks[0]!.end;
  const select = createTopK(longest);
  const indices = new Uint32Array(longest);
  for (const { start, end, k, at } of chunks) {
    select(bitsOf(x), { start, end, k }, indices, 0);
    for (let j = 0; j < k; j++) {
      places[at + j] = indices[j]! - start;
      values[at + j] = x[indices[j]!]!;
    }
  }
  return places;
}

/**
 * What the messages "0", "1" … say, one after the other: all places in the vector, then all values. entries [`entriesLength`].
 * Numbers: count (of messages), length (of the vector), and `sparsityNumbers`
 */
export const sparseDecode: LocalOperation = ({ entries, ...messages }, numbers) => {
  const { count: members, length } = numbers as Readonly<Record<"count" | "length", number>>;
  const sparsity = sparsityOf(numbers);
  const codec = codecOf(sparsity);
  const count = sentElements(length, sparsity);
  const placeBytes = packedBytes(count, placeWidth(sparsity));
  const starts = new Uint32Array(count);
  for (const { start, k, at } of chunksOf(length, sparsity)) starts.fill(start, at, at + k);
  const places = new Uint32Array(count);
  for (let member = 0; member < members; member++) {
    const bytes = fromWords(messages[member]!, placeBytes + codec.bytes(count));
    unpackBits(bytes, placeWidth(sparsity), places);
    const { indices, values } = entriesOf(entries!, members, member);
    for (let j = 0; j < count; j++) indices[j] = starts[j]! + places[j]!;
    codec.decode(bytes.subarray(placeBytes), values);
  }
};

/** What is of one message. */
function entriesOf(
  entries: Float32Array,
  members: number,
  member: number,
): { readonly indices: Uint32Array; readonly values: Float32Array } {
  const count = entries.length / (2 * members);
  const part = (number: number): Float32Array => entries.subarray(number * count, (number + 1) * count);
  return { indices: bitsOf(part(member)), values: part(members + member) };
}

/** θ₀ ← θ₀ + scale · each message, one after the other; θ ← θ₀. anchor (θ₀), parameters (θ) [P]; entries: see `sparseDecode` */
export const sparseStep: LocalOperation = ({ anchor, parameters, entries }, { count, scale }) => {
  addEntries(anchor!, entries!, { count: count!, scale: scale! });
  copyVector(parameters!, anchor!);
};

/** @param count of the messages */
export function addEntries(
  to: Float32Array,
  entries: Float32Array,
  { count, scale }: { readonly count: number; readonly scale: number },
): void {
  for (let member = 0; member < count; member++) {
    const { indices, values } = entriesOf(entries, count, member);
    for (let j = 0; j < indices.length; j++) to[indices[j]!]! += scale * values[j]!;
  }
}
