// A codec turns a vector of floats into fewer bytes and back: what a quantised collective puts on the wire. It is plain
// arithmetic: it knows neither ranks nor collectives, and a transport may send what it returns as it is.

import { invariant } from "@atoll/core";

export interface Codec {
  /**
   * Names the codec with all that decides its bytes, such as "int8/256": members of one collective have to give codecs
   * of the same name. They need not give the same object, so each can round by random numbers of its own.
   */
  readonly name: string;
  /** Exactly how many bytes `length` elements take. */
  bytes(length: number): number;
  /** [length] -> [bytes(length)]; `x` is not changed. */
  encode(x: Float32Array): Uint8Array;
  /** [bytes(length)] -> [length], into `out`. Any codec of the name can decode what another has encoded. */
  decode(encoded: Uint8Array, out: Float32Array): void;
  /**
   * What a receiver makes of `x`, to the bit what `encode` and `decode` give, for codecs that get there faster: left out by
   * others. [length], in `scratch` [length] or somewhere else, to be read only.
   */
  transcode?(x: Float32Array, scratch: Float32Array): Float32Array;
  /**
   * All that an encoded all-reduce computes, for codecs that do it faster than vector by vector and somewhere else, while the
   * caller goes on: to the bit what `codedSum` says. The vectors must not be touched until the promise has ended.
   * @returns what all members end with, [length], to be read only; undefined where there is nothing faster
   */
  reduce?(reduction: CodedReduction): Promise<Float32Array> | undefined;
}

/** What the members of an encoded all-reduce bring, in their order. */
export interface CodedReduction {
  /** Each [length]. */
  readonly vectors: readonly Float32Array[];
  /** The members' own, all of one name. */
  readonly codecs: readonly Codec[];
  /** Shard m is the elements starts[m] … starts[m + 1] − 1. */
  readonly starts: Int32Array;
  readonly op: "sum" | "mean";
}

/** What a receiver makes of `x`: encoded and decoded, [length]; to be read only. @param scratch [length] */
export function transcode(
  codec: Codec,
  x: Float32Array,
  scratch: Float32Array = new Float32Array(x.length),
): Float32Array {
  if (codec.transcode !== undefined) return codec.transcode(x, scratch);
  const encoded = codec.encode(x);
  invariant(
    encoded.length === codec.bytes(x.length),
    `codec ${codec.name} says ${codec.bytes(x.length)} bytes for ${x.length} elements and makes ${encoded.length}`,
  );
  codec.decode(encoded, scratch);
  return scratch;
}
