// Hands the members of a finished collective what its schedule left with them.

import { unreachable } from "@atoll/core";
import type { Call } from "./collective.ts";
import type { Arrival } from "./gathering.ts";
import { evaluate, type Trace } from "./interpret.ts";

/**
 * Writes the results of an all-reduce or a broadcast into the members' vectors.
 * @returns for each member the parts of an all-gather, none for other operations; members with equal parts share them
 */
export function deliver(
  call: Call,
  traced: Trace,
  arrivals: readonly Arrival[],
): readonly (readonly Float32Array[])[] {
  const vectors = arrivals.map(({ vector }) => vector);
  switch (call.operation) {
    case "allReduce": {
      const sums = evaluate(traced, vectors);
      if (call.op === "mean") for (const sum of sums) divide(sum, vectors.length);
      overwrite(traced, vectors, sums);
      return vectors.map(() => []);
    }
    case "broadcast":
      overwrite(traced, vectors, evaluate(traced, vectors));
      return vectors.map(() => []);
    case "allGather": {
      const copies = vectors.map((vector) => vector.slice());
      const parts = traced.results.map((names) => Array.from(names, (name) => copies[name]!));
      return Array.from(traced.resultOf, (result) => parts[result]!);
    }
    case "barrier":
      return vectors.map(() => []);
    default:
      return unreachable(call);
  }
}

function divide(vector: Float32Array, by: number): void {
  for (let i = 0; i < vector.length; i++) vector[i] = vector[i]! / by;
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
