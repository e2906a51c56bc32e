// What a strategy sends, as data: in which collectives its nodes meet, after which steps, with how many bytes, and when a
// node needs the result. It sends nothing and times nothing: a planner reads it, and a table of strategies can show it.
// Each strategy's file states its own; tests hold them against the bytes that runs count.

import type { Codec } from "@atoll/comm";
import { wireBytes } from "../compressors/wire.ts";

/** The model as far as bytes depend on it. */
export interface TrafficModel {
  /** Elements that the exchange is about: all parameters, or those of its fragment. */
  readonly elements: number;
  /** Layers that these elements make up, all of one size. */
  readonly layers: number;
  /** Nodes of a group. */
  readonly members: number;
  /** Bytes of a number that is sent as it is: 4 in a run. */
  readonly floatBytes: number;
}

/** Something that happens again and again: one collective, or one message to each of some peers. */
export interface Exchange {
  /** `codedAllReduce` is an all-reduce with a codec: shards from all to all, then their sums around a ring. */
  readonly operation: "allReduce" | "codedAllReduce" | "allGather" | "send";
  /** It begins after the steps t ≥ 1 with t ≡ `offset` (mod `every`). */
  readonly every: number;
  /** Default 0. */
  readonly offset?: number;
  /** Steps of computing, after the one it begins after, that may go on before a node waits for it. Default 0. */
  readonly delay?: number;
  /** The first and the last step after which it may begin. Default: all. */
  readonly from?: number;
  readonly until?: number;
  /** Of the layers l those with l ≡ `index` (mod `count`). Default: all. */
  readonly fragment?: { readonly index: number; readonly count: number };
  /** Parts of equal size that are sent as soon as the backward pass has made them. Default: the whole, after it. */
  readonly pieces?: number;
  /** Nodes that it goes on among, drawn anew each time. Default: all. */
  readonly groupSize?: number;
  /** Of `send`: nodes that each node sends a message to. Default 1. */
  readonly peers?: number;
  /** Of `send`: by how much ranks and those they send to differ, among so many nodes. Default: by powers of two. */
  distances?(worldSize: number): readonly number[];
  /** Bytes of the whole vector that is reduced, of what one member gives to a gather, or of one message. */
  bytes(model: TrafficModel): number;
}

/** What a strategy sends, with what had to be assumed of the model; or why that cannot be said beforehand. */
export type Traffic =
  | { readonly exchanges: readonly Exchange[]; readonly assumes?: string }
  | { readonly refusal: string };

/** An all-reduce of all parameters as they are, unless `given` says otherwise. */
export const reduced = (given: Pick<Exchange, "every"> & Partial<Omit<Exchange, "operation">>): Exchange => ({
  operation: "allReduce",
  bytes: ({ elements, floatBytes }) => floatBytes * elements,
  ...given,
});

/** An all-reduce of all parameters through a codec, whose every shard is encoded by itself. */
export const codedReduced = (
  codec: Pick<Codec, "bytes">,
  given: Pick<Exchange, "every"> & Partial<Omit<Exchange, "operation" | "bytes">>,
): Exchange => ({
  operation: "codedAllReduce",
  bytes({ elements, members }) {
    const bound = (shard: number): number => Math.floor((shard * elements) / members);
    let total = 0;
    for (let shard = 0; shard < members; shard++) total += codec.bytes(bound(shard + 1) - bound(shard));
    return total;
  },
  ...given,
});

/** An all-gather of messages, in whole words. */
export const gathered = (every: number, bytes: Exchange["bytes"]): Exchange => ({
  operation: "allGather",
  every,
  bytes: (model) => wireBytes(bytes(model)),
});
