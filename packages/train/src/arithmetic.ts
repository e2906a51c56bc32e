// The arithmetic of a run's collectives: SIMD kernels where the nodes' vectors lie in shared memory, loops elsewhere, and
// scratch that is kept from one collective to the next, since each would otherwise clear as much memory as a model has.

import type { OrderedSum, VectorArithmetic } from "@atoll/comm";
import {
  addAndHashBlocks,
  addVectors,
  allocateBeside,
  copyVector,
  divideVector,
  hashBlocks,
  isShared,
  memoryOf,
  writeOrderedMeans,
} from "@atoll/tensor/vectors";
import type { Executor } from "./executor.ts";

/** Parts that a reduction is cut into, so that several workers have something to do. */
const PARTS = 4;

/** For one simulated world at a time, since its collectives share the scratch. */
export function createArithmetic(executor: Pick<Executor, "run">): VectorArithmetic {
  const kept: (Float32Array | undefined)[] = [];
  const tables = new Pool();
  const plans = new Pool();
  const scratch = (number: number, length: number, vector: Float32Array): Float32Array => {
    const present = kept[number];
    if (present !== undefined && present.length >= length) return present.subarray(0, length);
    const made = allocateBeside(vector, length);
    kept[number] = made;
    return made;
  };
  /** By memory, and where the first of the vectors lies there that they are of: those of other groups may still be read. */
  const results = new Map<WebAssembly.Memory | undefined, Map<number, Float32Array>>();
  /** @param target where the mean goes; the vectors themselves if there is none */
  const writeMeans = async (
    { vectors, starts, orders }: OrderedSum,
    by: number,
    target?: Float32Array,
  ): Promise<void> => {
    const plan = plans.take(starts.length + orders.length, vectors[0]!);
    const integers = new Int32Array(plan.buffer, plan.byteOffset, plan.length);
    integers.set(starts);
    integers.set(orders, starts.length);
    const length = starts.at(-1)!;
    const shared = {
      ...Object.fromEntries(vectors.map((vector, i) => [`${i}`, vector])),
      ...(target && { target }),
      starts: plan.subarray(0, starts.length),
      orders: plan.subarray(starts.length, starts.length + orders.length),
    };
    const writePart = async (part: number): Promise<void> => {
      const table = tables.take(vectors.length + (target === undefined ? vectors.length : 1), vectors[0]!);
      const bound = (number: number): number => Math.floor((number * length) / PARTS);
      await executor.run({
        operation: "orderedMeans",
        vectors: { ...shared, table },
        numbers: { count: vectors.length, by, from: bound(part), to: bound(part + 1) },
      });
      tables.give(table, vectors[0]!);
    };
    await Promise.all(Array.from({ length: PARTS }, (_, part) => writePart(part)));
    plans.give(plan, vectors[0]!);
  };
  return {
    add: addVectors,
    divide: divideVector,
    copy: copyVector,
    mean(out, sum, by) {
      const table = tables.take(sum.vectors.length + 1, sum.vectors[0]!);
      writeOrderedMeans({ ...sum, targets: [out], by, table });
      tables.give(table, sum.vectors[0]!);
    },
    scratch,
    hashBlocks,
    addAndHashBlocks,
    replaceByMeans: (sum, by) => (isShared(...sum.vectors) ? writeMeans(sum, by) : undefined),
    meanApart(sum, by) {
      if (!isShared(...sum.vectors)) return undefined;
      const [first] = sum.vectors as [Float32Array];
      const inMemory = results.get(memoryOf(first)) ?? new Map<number, Float32Array>();
      results.set(memoryOf(first), inMemory);
      const present = inMemory.get(first.byteOffset);
      const result = present?.length === first.length ? present : allocateBeside(first, first.length);
      inMemory.set(first.byteOffset, result);
      return writeMeans(sum, by, result).then(() => result.subarray(0));
    },
  };
}

/** Scratch that is used for as long as something goes on, and then by others: by the memory of the vectors that it is for. */
class Pool {
  readonly #free = new Map<WebAssembly.Memory | undefined, Float32Array[]>();

  /** [length] or more, where `vector` lies, or in another memory if that one is full. */
  take(length: number, vector: Float32Array): Float32Array {
    const present = this.#free.get(memoryOf(vector))?.pop();
    return present !== undefined && present.length >= length ? present : allocateBeside(vector, length);
  }

  /** @param vector that it was taken for */
  give(scratch: Float32Array, vector: Float32Array): void {
    const free = this.#free.get(memoryOf(vector)) ?? [];
    this.#free.set(memoryOf(vector), free);
    free.push(scratch);
  }
}
