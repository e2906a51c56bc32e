// Codecs that get from a vector to what its receivers make of it without bytes in between, and codecs that remember it: an
// encoded all-reduce needs it of every member, and members can work it out by themselves beforehand.

import { type Codec, int8, transcode } from "@atoll/comm/codecs";
import { momentumAndSigns, roundToIntegers, roundToSigns } from "@atoll/tensor/vectors";
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
export const shardStart = (length: number, m: number, N: number): number => Math.floor((m * length) / N);

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

/**
 * The first half of a step of 1-bit Adam: m ← b1 m + (1 − b1) g + residual; residual ← m less its signs, whose scales are
 * written down. mean (m), gradients (g), residual [P]; scales [members · scalesOfShard]
 */
export function oneBitEncode(vectors: Vectors, { b1, blockSize, members }: Numbers): void {
  const { mean, gradients, residual, scales } = vectors;
  const { length } = mean!;
  const each = scalesOfShard(length, { members: members!, blockSize: blockSize! });
  for (let shard = 0; shard < members!; shard++) {
    const [start, end] = [shardStart(length, shard, members!), shardStart(length, shard + 1, members!)];
    const part = (vector: Float32Array | undefined): Float32Array => vector!.subarray(start, end);
    momentumAndSigns(
      {
        mean: part(mean),
        gradients: part(gradients),
        residual: part(residual),
        scales: scales!.subarray(shard * each, (shard + 1) * each),
      },
      { b1: b1!, blockSize: blockSize! },
    );
  }
}

/** Blocks of the longest shard. */
export const scalesOfShard = (
  length: number,
  { members, blockSize }: { readonly members: number; readonly blockSize: number },
): number => Math.ceil(Math.ceil(length / members) / blockSize);
