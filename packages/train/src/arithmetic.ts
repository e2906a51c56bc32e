// The arithmetic of a run's collectives: SIMD kernels where the nodes' vectors lie in shared memory, loops elsewhere, and
// scratch that is kept from one collective to the next, since each would otherwise clear as much memory as a model has.

import type { OrderedChunk, VectorArithmetic } from "@atoll/comm";
import {
  addVectors,
  allocateBeside,
  copyVector,
  divideVector,
  isShared,
  writeMean,
} from "@atoll/tensor/vectors";
import type { Executor } from "./executor.ts";

/** Parts that a reduction is cut into at least, so that several workers have something to do. */
const LEAST_PARTS = 4;

/** For one simulated world at a time, since its collectives share the scratch. */
export function createArithmetic(executor: Pick<Executor, "run">): VectorArithmetic {
  const kept: (Float32Array | undefined)[] = [];
  const tables: Float32Array[] = [];
  const scratch = (number: number, length: number, vector: Float32Array): Float32Array => {
    const present = kept[number];
    if (present !== undefined && present.length >= length) return present.subarray(0, length);
    const made = allocateBeside(vector, length);
    kept[number] = made;
    return made;
  };
  /** For as long as a reduction goes on. */
  const tableOf = (vectors: OrderedChunk): Float32Array => {
    const present = tables.pop();
    return present !== undefined && present.length >= 2 * vectors.length && isShared(present, vectors[0]!)
      ? present
      : allocateBeside(vectors[0]!, 2 * vectors.length);
  };
  const replaceByMean = async (vectors: OrderedChunk, by: number): Promise<void> => {
    const table = tableOf(vectors);
    const named = Object.fromEntries(vectors.map((vector, i) => [`${i}`, vector]));
    await executor.run({
      operation: "replaceByMean",
      vectors: { table, ...named },
      numbers: { count: vectors.length, by },
    });
    tables.push(table);
  };
  return {
    add: addVectors,
    divide: divideVector,
    copy: copyVector,
    mean(out, vectors, by) {
      const table = tableOf(vectors);
      writeMean(vectors, [out], { by, table });
      tables.push(table);
    },
    scratch,
    replaceByMeans(chunks, by) {
      if (!isShared(...chunks.flat())) return undefined;
      const parts = chunks.flatMap((chunk) => cut(chunk, Math.ceil(LEAST_PARTS / chunks.length)));
      return Promise.all(parts.map((part) => replaceByMean(part, by))).then(() => undefined);
    },
  };
}

/** Chunks of so many parts, as even as possible. */
function cut(vectors: OrderedChunk, parts: number): readonly OrderedChunk[] {
  const { length } = vectors[0]!;
  const bound = (part: number): number => Math.floor((part * length) / parts);
  return Array.from({ length: parts }, (_, part) =>
    vectors.map((vector) => vector.subarray(bound(part), bound(part + 1))),
  );
}
