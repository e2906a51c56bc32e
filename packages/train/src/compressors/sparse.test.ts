import { createRandom } from "@atoll/core";
import { createHeap } from "@atoll/tensor";
import fc from "fast-check";
import { expect, test } from "vitest";
import { candidateRoom, largestElements } from "./sparse.ts";
import { bitsOf, createTopK } from "./topK.ts";

test("the largest elements are those of a whole selection, wherever the vector lies and however it is spread", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5000 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.constantFrom(0, 0.5, 0.999),
      fc.nat(),
      (length, density, zeros, seed) => {
        const k = Math.max(1, Math.floor(density * length));
        const random = createRandom(seed);
        const heap = createHeap();
        const x = heap.alloc(length);
        for (let i = 0; i < length; i++)
          x[i] = random.uniform() < zeros ? 0 : Math.round(50 * random.normal()) / 8;
        if (seed % 5 === 0) x[seed % length] = Number.NaN;
        const expected = new Uint32Array(k);
        createTopK(length)(bitsOf(x), { start: 0, end: length, k }, expected, 0);
        const indices = new Uint32Array(k);
        largestElements(x, indices, heap.alloc(candidateRoom(k)));
        expect([...indices]).toEqual([...expected]);
      },
    ),
  );
});
