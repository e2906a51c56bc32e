// The arithmetic of a run's collectives: SIMD kernels where the nodes' vectors lie in shared memory, loops elsewhere, and
// scratch that is kept from one collective to the next, since each would otherwise clear as much memory as a model has.

import type { VectorArithmetic } from "@atoll/comm";
import { addVectors, allocateBeside, divideVector } from "@atoll/tensor/vectors";

/** For one simulated world at a time, since its collectives share the scratch. */
export function createArithmetic(): VectorArithmetic {
  const kept: (Float32Array | undefined)[] = [];
  return {
    add: addVectors,
    divide: divideVector,
    scratch(number, length, vector) {
      const present = kept[number];
      if (present !== undefined && present.length >= length) return present.subarray(0, length);
      const made = allocateBeside(vector, length);
      kept[number] = made;
      return made;
    },
  };
}
