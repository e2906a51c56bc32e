import { createRandom } from "@atoll/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { allocateBeside, createHeap } from "../memory.ts";
import { writeOrderedMeans } from "./orderedMeans.ts";

/** Chunk lengths around the sixteen elements that the kernel takes at a time, empty ones among them. */
const cases = fc.record({
  members: fc.integer({ min: 1, max: 70 }),
  lengths: fc.array(fc.integer({ min: 0, max: 40 }), { minLength: 1, maxLength: 6 }),
  seed: fc.nat(),
  inPlace: fc.boolean(),
  range: fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.double({ min: 0, max: 1, noNaN: true })),
});

test("each chunk is added up in its own order, in shared memory and in plain arrays, and nothing else changes", () => {
  fc.assert(
    fc.property(cases, ({ members, lengths, seed, inPlace, range }) => {
      const random = createRandom(seed);
      const starts = new Int32Array(lengths.length + 1);
      for (const [chunk, of] of lengths.entries()) starts[chunk + 1] = starts[chunk]! + of;
      const length = starts.at(-1)!;
      const orders = Int32Array.from(lengths.flatMap(() => [...random.permutation(members)]));
      const inputs = Array.from({ length: members }, () =>
        Float32Array.from({ length }, () => random.normal()),
      );
      const [from, to] = range.map((part) => Math.round(part * length)).sort((a, b) => a - b) as [
        number,
        number,
      ];
      const expected = Float32Array.from({ length }, (_, i) => {
        const chunk = starts.findIndex((end) => end > i) - 1;
        const order = orders.subarray(chunk * members, (chunk + 1) * members);
        const sum = order.reduce((total, member, at) => {
          const x = inputs[member]![i]!;
          return at === 0 ? x : Math.fround(total + x);
        }, 0);
        return Math.fround(sum / members);
      });
      const home = createHeap().alloc(1);
      for (const place of [home, new Float32Array(1)]) {
        const vectors = inputs.map((input) => copyBeside(place, input));
        const targets = inPlace ? vectors : [copyBeside(place, inputs[0]!)];
        const table = allocateBeside(place, members + targets.length);
        const means = { vectors, targets, starts, orders, by: members, table };
        writeOrderedMeans(means, { from, to });
        for (const [t, target] of targets.entries()) {
          expect([...target.subarray(from, to)]).toEqual([...expected.subarray(from, to)]);
          const before = inputs[t]!;
          expect([...target.subarray(0, from)]).toEqual([...before.subarray(0, from)]);
          expect([...target.subarray(to)]).toEqual([...before.subarray(to)]);
        }
        if (!inPlace) expect(vectors.map((vector) => [...vector])).toEqual(inputs.map((input) => [...input]));
      }
    }),
    { numRuns: 60 },
  );
});

function copyBeside(place: Float32Array, values: Float32Array): Float32Array {
  const vector = allocateBeside(place, values.length);
  vector.set(values);
  return vector;
}
