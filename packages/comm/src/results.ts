// Hands the members of a finished collective what its schedule left with them.

import { invariant, unreachable } from "@atoll/core";
import type { OrderedSum, VectorArithmetic } from "./arithmetic.ts";
import { type Codec, transcode } from "./codec.ts";
import type { Call } from "./collective.ts";
import type { Arrival } from "./gathering.ts";
import type { Plan } from "./group.ts";
import { evaluate, ordersOf, type Trace } from "./interpret.ts";
import { evenChunks } from "./schedule.ts";

/** Elements of a vector below which its sum is there before a thread has been told of it. */
const WORTH_IT = 2 ** 14;

/** What a call gives each member: the parts of a gathering, the one shard of a reduce-scatter, nothing for most operations. */
export type Results = readonly (readonly Float32Array[])[];

export interface Delivery {
  readonly arithmetic: VectorArithmetic;
  /** Whether all members wait until the results are there, so that they may be computed somewhere else. */
  readonly allWait: boolean;
}

/**
 * Writes the results of an all-reduce or a broadcast into the members' vectors.
 * @returns what the call gives each member, at once or once it has been computed; members with equal parts share them
 */
export function deliver(
  call: Call,
  plan: Plan,
  arrivals: readonly Arrival[],
  { arithmetic, allWait }: Delivery,
): Results | Promise<Results> {
  const vectors = arrivals.map((arrival) => arrival.vectors[0]!);
  switch (call.operation) {
    case "allReduce":
      return (
        (allWait ? reducedElsewhere(call, plan, arrivals, arithmetic) : undefined) ??
        reduced(call, plan, arrivals, arithmetic)
      );
    case "reduceScatter": {
      const [sum] = evaluate(traceOf(plan), vectors, arithmetic);
      const starts = plan.schedule.chunkStarts;
      const shards = vectors.map((_, member) => sum!.slice(starts[member], starts[member + 1]));
      if (call.op === "mean") for (const shard of shards) arithmetic.divide(shard, vectors.length);
      return shards.map((shard) => [shard]);
    }
    case "broadcast": {
      const traced = traceOf(plan);
      overwrite(traced, vectors, evaluate(traced, vectors, arithmetic), arithmetic);
      return vectors.map(() => []);
    }
    case "allGather": {
      const parts = vectors.map((vector) => (call.lent ? vector : vector.slice()));
      return vectors.map(() => parts);
    }
    case "allToAll":
      return arrivals.map((_, target) => arrivals.map((arrival) => arrival.vectors[target]!.slice()));
    case "gather": {
      const copies = vectors.map((vector) => vector.slice());
      return vectors.map((_, member) => (member === call.root ? copies : []));
    }
    case "barrier":
      return arrivals.map(() => []);
    default:
      return unreachable(call);
  }
}

type AllReduce = Call & { readonly operation: "allReduce" };

function reduced(
  call: AllReduce,
  plan: Plan,
  arrivals: readonly Arrival[],
  arithmetic: VectorArithmetic,
): Results {
  const vectors = arrivals.map((arrival) => arrival.vectors[0]!);
  if (call.codec !== undefined)
    return handedOut(call, codedSum(call, arrivals, arithmetic), vectors, arithmetic);
  const traced = traceOf(plan);
  const sum = arithmetic.mean && sumInOrder(traced, vectors);
  if (sum !== undefined) {
    const result = arithmetic.scratch(0, call.length, vectors[0]!);
    arithmetic.mean!(result, sum, call.op === "mean" ? vectors.length : 1);
    return handedOut(call, result, vectors, arithmetic);
  }
  const sums = evaluate(traced, vectors, arithmetic);
  if (call.op === "mean") for (const sum of sums) arithmetic.divide(sum, vectors.length);
  if (call.apart) {
    const kept = sums.map((sum) => sum.slice());
    return vectors.map((_, member) => [kept[traced.resultOf[member]!]!]);
  }
  overwrite(traced, vectors, sums, arithmetic);
  return vectors.map(() => []);
}

/** One result for all members: each gets it, or has it written into its vector. */
function handedOut(
  { apart }: AllReduce,
  result: Float32Array,
  vectors: readonly Float32Array[],
  arithmetic: VectorArithmetic,
): Results {
  if (apart) {
    const kept = result.slice();
    return vectors.map(() => [kept]);
  }
  for (const vector of vectors) arithmetic.copy(vector, result);
  return vectors.map(() => []);
}

/** The same while the caller goes on; undefined where that is not possible, or is not worth it. */
function reducedElsewhere(
  { codec, apart, op, length }: AllReduce,
  plan: Plan,
  arrivals: readonly Arrival[],
  arithmetic: VectorArithmetic,
): Promise<Results> | undefined {
  const vectors = arrivals.map((arrival) => arrival.vectors[0]!);
  if (codec !== undefined) {
    const starts = evenChunks(length, arrivals.length);
    const result = codec.reduce?.({ vectors, codecs: arrivals.map(codecOf), starts, op });
    return result?.then((made) => {
      if (!apart) for (const vector of vectors) arithmetic.copy(vector, made);
      return vectors.map(() => (apart ? [made] : []));
    });
  }
  if (length < WORTH_IT || (apart ? arithmetic.meanApart : arithmetic.replaceByMeans) === undefined)
    return undefined;
  const sum = sumInOrder(traceOf(plan), vectors);
  if (sum === undefined) return undefined;
  const by = op === "mean" ? vectors.length : 1;
  return apart
    ? arithmetic.meanApart!(sum, by)?.then((mean) => vectors.map(() => [mean]))
    : arithmetic.replaceByMeans!(sum, by)?.then(() => vectors.map(() => []));
}

/** Undefined for schedules that add in other ways. */
function sumInOrder(traced: Trace, vectors: readonly Float32Array[]): OrderedSum | undefined {
  const orders = ordersOf(traced);
  return orders && { vectors, starts: traced.chunkStarts, orders };
}

function traceOf({ trace }: Plan): Trace {
  invariant(trace !== undefined, "a reduction without a trace");
  return trace;
}

/**
 * What everyone ends with after an all-reduce of encoded vectors: shard m is the float32 sum, in the members' order, of
 * what member m decodes (its own part is encoded as well), encoded again by member m. A mean divides before that.
 */
function codedSum(
  { length, op }: AllReduce,
  arrivals: readonly Arrival[],
  arithmetic: VectorArithmetic,
): Float32Array {
  const starts = evenChunks(length, arrivals.length);
  const [vector] = arrivals[0]!.vectors;
  const result = arithmetic.scratch(0, length, vector!);
  const scratch = arithmetic.scratch(1, Math.ceil(length / arrivals.length), vector!);
  for (let shard = 0; shard < arrivals.length; shard++) {
    const start = starts[shard]!;
    const end = starts[shard + 1]!;
    const sum = result.subarray(start, end).fill(0);
    const decoded = scratch.subarray(0, end - start);
    for (const arrival of arrivals) {
      const part = arrival.vectors[0]!.subarray(start, end);
      arithmetic.add(sum, sum, transcode(codecOf(arrival), part, decoded));
    }
    if (op === "mean") arithmetic.divide(sum, arrivals.length);
  }
  // As members on a network would, each has encoded all that it sends of its own before it encodes the sum of its shard.
  arrivals.forEach((owner, shard) => {
    const sum = result.subarray(starts[shard], starts[shard + 1]);
    sum.set(transcode(codecOf(owner), sum, scratch.subarray(0, sum.length)));
  });
  return result;
}

function codecOf({ call }: Arrival): Codec {
  invariant(call.operation === "allReduce" && call.codec !== undefined, "a coded all-reduce without a codec");
  return call.codec;
}

/** Only a member that keeps its own vector lends it to the others, so no vector changes before it has been read. */
function overwrite(
  { resultOf }: Trace,
  vectors: readonly Float32Array[],
  results: readonly Float32Array[],
  arithmetic: VectorArithmetic,
): void {
  const stable = results.map((result, number) => {
    const owner = vectors.indexOf(result);
    return owner === -1 || resultOf[owner] === number ? result : result.slice();
  });
  vectors.forEach((vector, member) => {
    const result = stable[resultOf[member]!]!;
    if (result !== vector) arithmetic.copy(vector, result);
  });
}
