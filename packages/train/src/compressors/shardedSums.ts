// Encoded all-reduces whose shards are added up on the worker threads: each vector is read once, rounded as its receivers would
// see it, and added; what the codec makes of the mean is all that is written.

import type { Codec, CodedReduction } from "@atoll/comm";
import {
  allocateBeside,
  type EncodedMean,
  isShared,
  meanOfIntegers,
  meanOfSigns,
} from "@atoll/tensor/vectors";
import type { LocalTask, OperationNumbers, OperationVectors } from "../localTask.ts";
import { scalesOfShard, shardStart } from "./transcoded.ts";

/** Does operations on worker threads. */
type Run = (task: LocalTask) => Promise<void>;

/** What a node uses again in every reduction. */
interface Room {
  readonly out: Float32Array;
  /** For each part. */
  readonly scratch: readonly Float32Array[];
  readonly members: number;
}

/** Parts that shards are dealt out in: enough for several workers, and few messages. */
const PARTS = 4;
/** Words of scratch for each member. */
const SCRATCH = 4;

/**
 * @param task the operation, with what it needs beside `out`, `scratch` and the members' vectors "0", "1" …; undefined where
 *   that is not there
 * @returns a codec's `reduce`, for one node
 */
function shardedReduce(
  run: Run,
  task: (reduction: CodedReduction) => LocalTask | undefined,
): NonNullable<Codec["reduce"]> {
  let room: Room | undefined;
  return (reduction) => {
    const { vectors, op } = reduction;
    const [first] = vectors;
    const members = vectors.length;
    const given = isShared(...vectors) ? task(reduction) : undefined;
    if (given === undefined) return undefined;
    if (room === undefined || room.members < members)
      room = {
        out: allocateBeside(first!, first!.length),
        scratch: Array.from({ length: PARTS }, () => allocateBeside(first!, SCRATCH * members)),
        members,
      };
    const { out, scratch } = room;
    const named = Object.fromEntries(vectors.map((vector, m) => [`${m}`, vector]));
    const by = op === "mean" ? members : 1;
    const parts = scratch.map((own, part) => {
      const from = Math.floor((part * members) / PARTS);
      const to = Math.floor(((part + 1) * members) / PARTS);
      if (from === to) return undefined;
      return run({
        operation: given.operation,
        vectors: { ...named, ...given.vectors, out, scratch: own },
        numbers: { ...given.numbers, count: members, by, from, to },
      });
    });
    // A view of its own for each, so that members can tell this result from the next.
    return Promise.all(parts).then(() => out.subarray(0));
  };
}

/** `integers` for one node's gradients. */
export function reducingIntegers(codec: Codec, blockSize: number, run: Run): Codec {
  const task: LocalTask = { operation: "meanOfIntegers", vectors: {}, numbers: { blockSize } };
  return { ...codec, reduce: shardedReduce(run, () => task) };
}

/** The scales that members have worked out for what they bring. */
const scalesOf = new WeakMap<Codec, Float32Array>();

/** `signs` for one node's vectors. @param scales what `oneBitEncode` has written, of the vector that will be reduced */
export function reducingSigns(codec: Codec, blockSize: number, run: Run, scales: Float32Array): Codec {
  const reducing: Codec = {
    ...codec,
    reduce: shardedReduce(run, ({ codecs, vectors }) => {
      const each = scalesOfShard(vectors[0]!.length, { members: vectors.length, blockSize });
      const known = codecs.map((other) => scalesOf.get(other));
      if (!known.every((of) => of?.length === each * vectors.length)) return undefined;
      const named = Object.fromEntries(known.map((of, m) => [`scales${m}`, of!]));
      return { operation: "meanOfSigns", vectors: named, numbers: { blockSize } };
    }),
  };
  scalesOf.set(reducing, scales);
  return reducing;
}

/** Calls `each` for the shards [from, to): with what is to be added up, and the shard's number. */
function forShards(
  vectors: OperationVectors,
  { count, by, blockSize, from, to }: OperationNumbers,
  each: (mean: EncodedMean, shard: number) => void,
): void {
  const out = vectors.out!;
  for (let shard = from!; shard < to!; shard++) {
    const [start, end] = [shardStart(out.length, shard, count!), shardStart(out.length, shard + 1, count!)];
    const members = Array.from({ length: count! }, (_, m) => vectors[m]!.subarray(start, end));
    const mean = { vectors: members, out: out.subarray(start, end), scratch: vectors.scratch! };
    each({ ...mean, blockSize: blockSize!, by: by! }, shard);
  }
}

/** Some shards of what `int8` leaves with all members. */
export const integersOperation = (vectors: OperationVectors, numbers: OperationNumbers): void =>
  forShards(vectors, numbers, (mean) => meanOfIntegers(mean, 127));

/** Some shards of what `sign` leaves with all members. */
export function signsOperation(vectors: OperationVectors, numbers: OperationNumbers): void {
  const members = numbers.count!;
  const each = scalesOfShard(vectors.out!.length, { members, blockSize: numbers.blockSize! });
  forShards(vectors, numbers, (mean, shard) => {
    const part = (m: number): Float32Array =>
      vectors[`scales${m}`]!.subarray(shard * each, (shard + 1) * each);
    meanOfSigns(
      mean,
      mean.vectors.map((_, m) => part(m)),
    );
  });
}
