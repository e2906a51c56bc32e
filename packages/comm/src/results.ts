// Hands the members of a finished collective what its schedule left with them.

import { invariant, unreachable } from "@atoll/core";
import type { VectorArithmetic } from "./arithmetic.ts";
import { transcode } from "./codec.ts";
import type { Call } from "./collective.ts";
import type { Arrival } from "./gathering.ts";
import type { Plan } from "./group.ts";
import { evaluate, type Trace } from "./interpret.ts";
import { evenChunks } from "./schedule.ts";

/**
 * Writes the results of an all-reduce or a broadcast into the members' vectors.
 * @returns what the call gives each member: the parts of a gathering, the one shard of a reduce-scatter, nothing for other
 *   operations; members with equal parts share them
 */
export function deliver(
  call: Call,
  plan: Plan,
  arrivals: readonly Arrival[],
  arithmetic: VectorArithmetic,
): readonly (readonly Float32Array[])[] {
  const vectors = arrivals.map((arrival) => arrival.vectors[0]!);
  switch (call.operation) {
    case "allReduce": {
      if (call.codec !== undefined) {
        const sum = codedSum(call, arrivals, arithmetic);
        for (const vector of vectors) vector.set(sum);
        return vectors.map(() => []);
      }
      const sums = evaluate(traceOf(plan), vectors, arithmetic);
      if (call.op === "mean") for (const sum of sums) arithmetic.divide(sum, vectors.length);
      overwrite(traceOf(plan), vectors, sums);
      return vectors.map(() => []);
    }
    case "reduceScatter": {
      const [sum] = evaluate(traceOf(plan), vectors, arithmetic);
      const starts = plan.schedule.chunkStarts;
      const shards = vectors.map((_, member) => sum!.slice(starts[member], starts[member + 1]));
      if (call.op === "mean") for (const shard of shards) arithmetic.divide(shard, vectors.length);
      return shards.map((shard) => [shard]);
    }
    case "broadcast": {
      const traced = traceOf(plan);
      overwrite(traced, vectors, evaluate(traced, vectors, arithmetic));
      return vectors.map(() => []);
    }
    case "allGather": {
      const copies = vectors.map((vector) => vector.slice());
      return vectors.map(() => copies);
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

function traceOf({ trace }: Plan): Trace {
  invariant(trace !== undefined, "a reduction without a trace");
  return trace;
}

/**
 * What everyone ends with after an all-reduce of encoded vectors: shard m is the float32 sum, in the members' order, of
 * what member m decodes (its own part is encoded as well), encoded again by member m. A mean divides before that.
 */
function codedSum(
  { length, op }: Call & { readonly operation: "allReduce" },
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

function codecOf({ call }: Arrival): NonNullable<(Call & { readonly operation: "allReduce" })["codec"]> {
  invariant(call.operation === "allReduce" && call.codec !== undefined, "a coded all-reduce without a codec");
  return call.codec;
}

/** Only a member that keeps its own vector lends it to the others, so no vector changes before it has been read. */
function overwrite(
  { resultOf }: Trace,
  vectors: readonly Float32Array[],
  results: readonly Float32Array[],
): void {
  const stable = results.map((result, number) => {
    const owner = vectors.indexOf(result);
    return owner === -1 || resultOf[owner] === number ? result : result.slice();
  });
  vectors.forEach((vector, member) => {
    const result = stable[resultOf[member]!]!;
    if (result !== vector) vector.set(result);
  });
}
