// What a member's part of a collective works on: its vectors as the schedule's chunks, what happens to them between and
// after its phases, and what it gives the caller. All-reduces of encoded vectors have two phases: every member sends its
// encoded shards to their owners, and the owners send the encoded sums around. All other collectives have one.

import { invariant, unreachable } from "@atoll/core";
import type { VectorArithmetic } from "../arithmetic.ts";
import type { Codec } from "../codec.ts";
import type { Call } from "../collective.ts";
import { chunksOf, createSchedule, evenChunks, type Members, type Schedule } from "../schedule.ts";
import { allToAll } from "../schedules/allToAll.ts";
import { ringRounds } from "../schedules/ringRounds.ts";
import type { Elements } from "./staging.ts";

export interface Phase {
  readonly schedule: Schedule;
  readonly vectors: Elements | readonly (Elements | undefined)[];
  /** Before the first phase begins nothing is to be done; before a later one, this. */
  readonly prepare?: () => void;
}

export interface Parts {
  readonly phases: readonly Phase[];
  /** After the last phase: what the call gives. */
  finish(): readonly Float32Array[];
}

export interface PartsOptions {
  readonly call: Call;
  /** Undefined for an all-reduce with a codec. */
  readonly schedule: Schedule;
  readonly members: Members;
  readonly member: number;
  readonly vectors: readonly Float32Array[];
  readonly arithmetic: VectorArithmetic;
  /** A vector with the same elements that is the call's own. */
  readonly apart: (x: Float32Array) => Float32Array;
}

export function partsOf(options: PartsOptions): Parts {
  const { call, schedule, member, vectors, arithmetic } = options;
  const size = schedule.ranks.length;
  const [given] = vectors as [Float32Array];
  const isApart = call.operation === "allReduce" && call.apart === true;
  const x = isApart && !call.lent ? options.apart(given) : given;
  const result = isApart ? [x] : [];
  switch (call.operation) {
    case "allReduce":
      if (call.codec !== undefined)
        return codedParts(options, { codec: call.codec, mean: call.op === "mean", x, result });
      return {
        phases: [{ schedule, vectors: x }],
        finish() {
          if (call.op === "mean") arithmetic.divide(x, size);
          return result;
        },
      };
    case "reduceScatter": {
      const sum = x.slice();
      return {
        phases: [{ schedule, vectors: sum }],
        finish() {
          const shard = sum.slice(schedule.chunkStarts[member], schedule.chunkStarts[member + 1]);
          if (call.op === "mean") arithmetic.divide(shard, size);
          return [shard];
        },
      };
    }
    case "broadcast":
    case "barrier":
      return { phases: [{ schedule, vectors: x }], finish: () => [] };
    case "allGather":
      return gathered(schedule, vectors, { own: [member], wanted: schedule.ranks.map((_, m) => m) });
    case "gather":
      return gathered(schedule, vectors, {
        own: [member],
        wanted: member === call.root ? schedule.ranks.map((_, m) => m) : [],
      });
    case "allToAll":
      return gathered(schedule, vectors, {
        own: schedule.ranks.map((_, target) => member * size + target),
        wanted: schedule.ranks.map((_, source) => source * size + member),
      });
    default:
      return unreachable(call);
  }
}

/** @param chunks which of the schedule's the member brings, in the order of `vectors`, and which it is to have in the end */
function gathered(
  schedule: Schedule,
  vectors: readonly Float32Array[],
  { own, wanted }: { readonly own: readonly number[]; readonly wanted: readonly number[] },
): Parts {
  const { chunkStarts } = schedule;
  const chunks: (Float32Array | undefined)[] = new Array(chunkStarts.length - 1).fill(undefined);
  for (const chunk of wanted) chunks[chunk] = new Float32Array(chunkStarts[chunk + 1]! - chunkStarts[chunk]!);
  own.forEach((chunk, i) => {
    chunks[chunk] = vectors[i];
  });
  return {
    phases: [{ schedule, vectors: chunks }],
    finish: () => wanted.map((chunk) => (own.includes(chunk) ? chunks[chunk]!.slice() : chunks[chunk]!)),
  };
}

function codedParts(
  { members, member, arithmetic }: PartsOptions,
  {
    codec,
    mean,
    x,
    result,
  }: {
    readonly codec: Codec;
    readonly mean: boolean;
    readonly x: Float32Array;
    readonly result: readonly Float32Array[];
  },
): Parts {
  const size = members.ranks.length;
  const starts = evenChunks(x.length, size);
  const shards = members.ranks.map((_, shard) => x.subarray(starts[shard], starts[shard + 1]));
  const lengths = shards.map((shard) => codec.bytes(shard.length));
  const encode = (shard: Float32Array): Uint8Array => {
    const encoded = codec.encode(shard);
    const expected = codec.bytes(shard.length);
    invariant(
      encoded.length === expected,
      `codec ${codec.name} says ${expected} bytes for ${shard.length} elements and makes ${encoded.length}`,
    );
    return encoded;
  };
  const outgoing = shards.map(encode);
  const incoming = members.ranks.map((_, source) =>
    source === member ? outgoing[member]! : new Uint8Array(lengths[member]!),
  );
  const exchange = allToAll({ ...members, lengths: members.ranks.flatMap(() => lengths) });
  const grid: (Uint8Array | undefined)[] = new Array(size * size).fill(undefined);
  incoming.forEach((bytes, source) => {
    grid[source * size + member] = bytes;
  });
  outgoing.forEach((bytes, target) => {
    grid[member * size + target] = bytes;
  });
  const sums = lengths.map((length) => new Uint8Array(length));
  const spread = createSchedule({
    algorithm: "ring",
    ranks: members.ranks,
    chunkStarts: chunksOf(lengths),
    initially: "ownChunk",
    rounds: () => ringRounds(size, "copy", 0),
  });
  return {
    phases: [
      { schedule: exchange, vectors: grid },
      {
        schedule: spread,
        vectors: sums,
        prepare() {
          const sum = shards[member]!.fill(0);
          const decoded = new Float32Array(sum.length);
          for (const bytes of incoming) {
            codec.decode(bytes, decoded);
            arithmetic.add(sum, sum, decoded);
          }
          if (mean) arithmetic.divide(sum, size);
          sums[member]!.set(encode(sum));
        },
      },
    ],
    finish() {
      sums.forEach((bytes, shard) => void codec.decode(bytes, shards[shard]!));
      return result;
    },
  };
}
