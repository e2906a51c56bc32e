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
import type { LocalTask, OperationNumbers, OperationVectors } from "../localOperations.ts";
import { scalesOfShard } from "./transcoded.ts";

/** Does operations on worker threads. */
type Run = (task: LocalTask) => Promise<void>;

/** What a node uses again in every reduction. */
interface Room {
  readonly out: Float32Array;
  /** For each shard. */
  readonly scratch: readonly Float32Array[];
}

/** Words of scratch for each member. */
const SCRATCH = 4;

/**
 * @param task the operation for one shard, with what it needs beside `out`, `scratch` and the members' parts "0", "1" …;
 *   undefined where that is not there
 * @returns a codec's `reduce`, for one node
 */
function shardedReduce(
  run: Run,
  task: (reduction: CodedReduction, shard: number) => LocalTask | undefined,
): NonNullable<Codec["reduce"]> {
  let room: Room | undefined;
  return (reduction) => {
    const { vectors, starts, op } = reduction;
    const [first] = vectors;
    if (!isShared(...vectors)) return undefined;
    const tasks = vectors.map((_, shard) => task(reduction, shard));
    if (!tasks.every((given) => given !== undefined)) return undefined;
    if (room === undefined || room.scratch.length < vectors.length)
      room = {
        out: allocateBeside(first!, first!.length),
        scratch: vectors.map(() => allocateBeside(first!, SCRATCH * vectors.length)),
      };
    const { out, scratch } = room;
    const shards = tasks.map(({ operation, vectors: own, numbers }, shard) => {
      const part = (vector: Float32Array): Float32Array => vector.subarray(starts[shard], starts[shard + 1]);
      const members = Object.fromEntries(vectors.map((vector, m) => [`${m}`, part(vector)]));
      return run({
        operation,
        vectors: { ...members, ...own, out: part(out), scratch: scratch[shard]! },
        numbers: { ...numbers, count: vectors.length, by: op === "mean" ? vectors.length : 1 },
      });
    });
    // A view of its own for each, so that members can tell this result from the next.
    return Promise.all(shards).then(() => out.subarray(0));
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
    reduce: shardedReduce(run, ({ codecs, vectors }, shard) => {
      const each = scalesOfShard(vectors[0]!.length, { members: vectors.length, blockSize });
      const known = codecs.map((other) => scalesOf.get(other));
      if (!known.every((of) => of?.length === each * vectors.length)) return undefined;
      const part = (of: Float32Array | undefined): Float32Array =>
        of!.subarray(shard * each, (shard + 1) * each);
      const ofShard = Object.fromEntries(known.map((of, m) => [`scales${m}`, part(of)]));
      return { operation: "meanOfSigns", vectors: ofShard, numbers: { blockSize } };
    }),
  };
  scalesOf.set(reducing, scales);
  return reducing;
}

const meanOf = (vectors: OperationVectors, { count, by, blockSize }: OperationNumbers): EncodedMean => ({
  vectors: Array.from({ length: count! }, (_, m) => vectors[m]!),
  out: vectors.out!,
  scratch: vectors.scratch!,
  blockSize: blockSize!,
  by: by!,
});

/** One shard of what `int8` leaves with all members. */
export const integersOperation = (vectors: OperationVectors, numbers: OperationNumbers): void =>
  meanOfIntegers(meanOf(vectors, numbers), 127);

/** One shard of what `sign` leaves with all members. */
export function signsOperation(vectors: OperationVectors, numbers: OperationNumbers): void {
  const scales = Array.from({ length: numbers.count! }, (_, m) => vectors[`scales${m}`]!);
  meanOfSigns(meanOf(vectors, numbers), scales);
}
