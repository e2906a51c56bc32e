import fc from "fast-check";
import { expect, test } from "vitest";
import { createHeap } from "../memory.ts";
import { createKernels } from "./kernels.ts";

const MOST = 0x7fffffff;
/** Far apart, and close to each other at both ends and in the middle, where many are equal. */
const magnitude = fc.oneof(
  fc.integer({ min: 0, max: MOST }),
  ...[0, 0x3f800000, MOST - 6].map((from) => fc.integer({ min: from, max: from + 6 })),
);
const four = fc.array(magnitude, { minLength: 4, maxLength: 4 });

test("a magnitude that k reach, and more only where several equal the k-th largest", () => {
  const heap = createHeap();
  const { buffer, byteOffset, length } = heap.alloc(4 * 40);
  const list = new Uint32Array(buffer, byteOffset, length);
  const { blocks } = createKernels(heap.memories[0]!);
  fc.assert(
    fc.property(fc.array(four, { minLength: 1, maxLength: 40 }), fc.nat(), (fours, draw) => {
      const magnitudes = fours.flat();
      const k = 1 + (draw % magnitudes.length);
      list.set(magnitudes);
      const found = blocks.magnitudeOfRank(byteOffset, magnitudes.length, k);
      const descending = magnitudes.toSorted((a, b) => b - a);
      const kth = descending[k - 1]!;
      if (descending[k] === kth) expect(found).toBe(kth);
      else expect(magnitudes.filter((other) => other >= found).length).toBe(k);
    }),
    { numRuns: 1000 },
  );
});
