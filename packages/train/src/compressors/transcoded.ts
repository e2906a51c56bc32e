// Codecs that get from a vector to what its receivers make of it without bytes in between, and codecs that remember it: an
// encoded all-reduce needs it of every member, and members can work it out by themselves beforehand.

import { type Codec, int8, transcode } from "@atoll/comm";
import {
  addVectors,
  decayAndAdd,
  roundToIntegers,
  roundToSigns,
  subtractVectors,
} from "@atoll/tensor/vectors";
import { sign } from "./sign.ts";

/** `int8` of @atoll/comm. */
export function integers(blockSize: number): Codec {
  return {
    ...int8({ blockSize }),
    transcode(x, scratch) {
      roundToIntegers(x, scratch, { blockSize, most: 127 });
      return scratch;
    },
  };
}

/** `sign` with what it makes of a vector. */
export function signs(blockSize: number): Codec {
  return {
    ...sign({ blockSize }),
    transcode(x, scratch) {
      roundToSigns(x, scratch, blockSize);
      return scratch;
    },
  };
}

/** Shard m of N, as an encoded all-reduce cuts them. */
const shardStart = (length: number, m: number, N: number): number => Math.floor((m * length) / N);

/** x -> out, shard by shard as `members` members of an all-reduce encode them. x, out [n] */
export function transcodeShards(codec: Codec, x: Float32Array, out: Float32Array, members: number): void {
  for (let m = 0; m < members; m++) {
    const [start, end] = [shardStart(x.length, m, members), shardStart(x.length, m + 1, members)];
    const made = out.subarray(start, end);
    const decoded = transcode(codec, x.subarray(start, end), made);
    if (decoded !== made) made.set(decoded);
  }
}

/** A codec that knows what it makes of the shards of a vector: what `transcodeShards` wrote. */
export function remembering(
  codec: Codec,
  {
    vector,
    transcoded,
    members,
  }: { readonly vector: Float32Array; readonly transcoded: Float32Array; readonly members: number },
): Codec {
  const { length, buffer, byteOffset } = vector;
  const ends = new Map(
    Array.from({ length: members }, (_, m) => [
      shardStart(length, m, members),
      shardStart(length, m + 1, members),
    ]),
  );
  return {
    ...codec,
    transcode(x, scratch) {
      const start = (x.byteOffset - byteOffset) / Float32Array.BYTES_PER_ELEMENT;
      const known = x.buffer === buffer && ends.get(start) === start + x.length;
      return known ? transcoded.subarray(start, start + x.length) : transcode(codec, x, scratch);
    },
  };
}

type Vectors = Readonly<Record<string, Float32Array>>;
type Numbers = Readonly<Record<string, number>>;

/** What int8 makes of the shards of a vector. gradients, transcoded [P] */
export const integersOfShards = ({ gradients, transcoded }: Vectors, { blockSize, members }: Numbers): void =>
  transcodeShards(integers(blockSize!), gradients!, transcoded!, members!);

/**
 * The first half of a step of 1-bit Adam: m ← b1 m + (1 − b1) g + residual; transcoded ← its signs; residual ← m less
 * these. mean (m), gradients (g), residual, transcoded [P]
 */
export function oneBitEncode(vectors: Vectors, { b1, blockSize, members }: Numbers): void {
  const mean = vectors.mean!;
  const residual = vectors.residual!;
  const transcoded = vectors.transcoded!;
  const gradients = vectors.gradients!;
  // Block by block, so that a block is still in the cache when the next thing is done to it.
  for (let shard = 0; shard < members!; shard++) {
    const last = shardStart(mean.length, shard + 1, members!);
    for (let start = shardStart(mean.length, shard, members!); start < last; start += blockSize!) {
      const end = Math.min(start + blockSize!, last);
      const [m, e, t] = [mean, residual, transcoded].map((vector) => vector.subarray(start, end));
      decayAndAdd(m!, gradients.subarray(start, end), { decay: b1!, factor: 1 - b1! });
      addVectors(m!, m!, e!);
      roundToSigns(m!, t!, blockSize!);
      subtractVectors(e!, m!, t!);
    }
  }
}
