// DeMo's messages do not depend on where the vectors lie: kernels and loops select the same coefficients. Not the strategy,
// which has its tests beside it.

import { createRandom } from "@atoll/core";
import { createHeap, layoutOf } from "@atoll/tensor";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  coefficientNumbers,
  coefficientPlan,
  coefficientSigns,
  coefficientsEncode,
} from "./largestCoefficients.ts";

const layout = layoutOf({
  a: { shape: [32, 48] },
  b: { shape: [70] },
  c: { shape: [24, 5] },
  d: { shape: [8] },
});

/** Vectors of few values have many equal magnitudes, and sparse ones have chunks of zeros. */
const values = fc.constantFrom(
  (draw: number) => draw,
  (draw: number) => Math.round(2 * draw),
  (draw: number) => (Math.abs(draw) > 2.5 ? draw : 0),
);

test("messages, what is left, and signs have the same bits in shared memory as in plain arrays", () => {
  fc.assert(
    fc.property(values, fc.integer({ min: 1, max: 200 }), fc.nat(), (value, topK, seed) => {
      const numbers = { ...coefficientNumbers(layout, { chunkSize: 16, topK }), beta: 0.9, rate: 0.5 };
      const { words, scratch, prepare, dct } = coefficientPlan(numbers);
      const heap = createHeap();
      const inHeap = (length: number): Float32Array => heap.alloc(length);
      const inPlain = (length: number): Float32Array => new Float32Array(length);
      const [plain, shared] = [inPlain, inHeap].map((place) => {
        const random = createRandom(seed);
        const vectors = {
          spectrum: place(layout.size),
          gradients: place(layout.size),
          message: place(words),
          work: place(scratch),
          thresholds: place(dct.chunks.length),
        };
        prepare(vectors.work);
        for (const vector of [vectors.spectrum, vectors.gradients])
          for (let i = 0; i < layout.size; i++) vector[i] = value(random.normal());
        // The second time there are thresholds of the first, with which more may be found or less.
        coefficientsEncode(vectors, numbers);
        for (let i = 0; i < layout.size; i++) vectors.gradients[i]! *= random.uniform() * 4;
        coefficientsEncode(vectors, numbers);
        const messages = { 0: vectors.message, 1: vectors.message };
        const signs = place(layout.size);
        for (const part of [0, 1, 2])
          coefficientSigns({ ...vectors, ...messages, signs }, { ...numbers, members: 2, part, parts: 3 });
        const bits = new Uint32Array(vectors.message.slice().buffer);
        return { bits: [...bits], left: [...vectors.spectrum], signs: [...signs] };
      });
      expect(shared).toEqual(plain);
      expect(plain!.signs.every((sign) => Math.abs(sign) <= 1)).toBe(true);
    }),
    { numRuns: 40 },
  );
});
