import fc from "fast-check";
import { expect, test } from "vitest";
import { allocateBeside, createHeap } from "../memory.ts";
import { collectAtLeast, roundToIntegers, roundToPowers, roundToSigns, roundToTwoLevels } from "./blocks.ts";
import { meanOfIntegers, meanOfSigns } from "./reductions.ts";

/** Numbers of all sizes, ties of the rounding among them, and now and then what is no finite number. */
const element = fc.oneof(
  { weight: 8, arbitrary: fc.float({ noNaN: true, min: -300, max: 300 }) },
  { weight: 4, arbitrary: fc.integer({ min: -254, max: 254 }).map((i) => i / 2) },
  { weight: 1, arbitrary: fc.constantFrom(0, -0, 1e-42, -3e38, 127) },
  { weight: 1, arbitrary: fc.float() },
);
const elements = fc.array(element, { maxLength: 70 });
const blockSize = fc.constantFrom(1, 3, 4, 16, 30, 64);

/** The same vectors in plain arrays and, off their beginnings, in one shared memory. */
function both(
  values: readonly number[],
): readonly { readonly x: Float32Array; readonly out: Float32Array }[] {
  const heap = createHeap();
  const shared = [0, 1].map(() => heap.alloc(values.length + 1).subarray(1));
  shared[0]!.set(values);
  return [
    { x: Float32Array.from(values), out: new Float32Array(values.length) },
    { x: shared[0]!, out: shared[1]! },
  ];
}

test("rounding to signs, to integers, to powers and to two levels gives the same bits in shared memory as in plain arrays", () => {
  fc.assert(
    fc.property(elements, blockSize, (values, size) => {
      for (const round of [
        (x: Float32Array, out: Float32Array) => roundToSigns(x, out, size),
        (x: Float32Array, out: Float32Array) => roundToIntegers(x, out, { blockSize: size, most: 127 }),
        (x: Float32Array, out: Float32Array) => roundToPowers(x, out, size),
        (x: Float32Array, out: Float32Array) => roundToTwoLevels(x, out, size),
      ]) {
        const [plain, shared] = both(values).map(({ x, out }) => {
          round(x, out);
          return [...out];
        });
        expect(shared).toEqual(plain);
      }
    }),
    { numRuns: 300 },
  );
});

/** The definition: each vector rounded, added to the others in their order, divided, rounded. */
function meanOfRounded(
  vectors: readonly Float32Array[],
  by: number,
  round: (x: Float32Array, out: Float32Array) => void,
): readonly number[] {
  const sum = new Float32Array(vectors[0]!.length);
  const rounded = new Float32Array(sum.length);
  for (const vector of vectors) {
    round(vector, rounded);
    for (let i = 0; i < sum.length; i++) sum[i]! += rounded[i]!;
  }
  for (let i = 0; i < sum.length; i++) sum[i]! /= by;
  round(sum, sum);
  return [...sum];
}

test("powers: the bits where two are equally near, and those beside them, in blocks of any magnitude", () => {
  fc.assert(
    fc.property(
      fc.float({ noNaN: true, min: 0, noDefaultInfinity: true }),
      fc.integer({ min: -2, max: 2 }),
      (most, off) => {
        const bounds = [0.75, 0.375, 0.1875, 0.75 / 8, 0.75 / 16, 0.75 / 32, 1 / 128];
        const near = Float32Array.from([1, ...bounds], (bound) => bound * most);
        const bits = new Int32Array(near.buffer);
        for (let i = 1; i < bits.length; i++) bits[i] = Math.min(bits[0]!, Math.max(0, bits[i]! + off));
        const expected = Array.from(near, (value) => {
          const code = bounds.findIndex((bound) => value >= bound * most);
          return most === 0 || code === -1 ? 0 : Math.fround(most * 2 ** -code);
        });
        for (const { x, out } of both([...near])) {
          roundToPowers(x, out, 8);
          expect([...out]).toEqual(expected);
        }
      },
    ),
    { numRuns: 500 },
  );
});

test("two levels: the mean of the magnitudes above the mean, and of the others, added up in their order", () => {
  const mean = (magnitudes: readonly number[]): number =>
    magnitudes.reduce((sum, magnitude) => sum + magnitude, 0) / magnitudes.length;
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -9, max: 9 }), { minLength: 1, maxLength: 40 }), (values) => {
      const magnitudes = values.map(Math.abs);
      const isLarge = (magnitude: number): boolean => magnitude > mean(magnitudes);
      const [large, small] = [true, false].map((wanted) =>
        Math.fround(mean(magnitudes.filter((magnitude) => isLarge(magnitude) === wanted))),
      ) as [number, number];
      const expected = values.map(
        (value) => (value < 0 ? -1 : 1) * (isLarge(Math.abs(value)) ? large : small),
      );
      for (const { x, out } of both(values)) {
        roundToTwoLevels(x, out, values.length);
        expect([...out]).toEqual(expected);
      }
    }),
  );
});

test("a mean of rounded vectors is what rounding, adding and dividing one after the other gives", () => {
  const vectors = fc.integer({ min: 1, max: 5 }).chain((members) =>
    fc.nat(70).chain((length) => {
      const exactly = fc.array(element, { minLength: length, maxLength: length });
      return fc.array(exactly, { minLength: members, maxLength: members });
    }),
  );
  fc.assert(
    fc.property(vectors, blockSize, fc.constantFrom(1, 3), (values, size, by) => {
      const shared = values.map((of) => both(of)[1]!.x);
      const home = createHeap().alloc(1);
      const together = shared.map((vector) => {
        const copy = allocateBeside(home, vector.length + 1).subarray(1);
        copy.set(vector);
        return copy;
      });
      const integers = { blockSize: size, most: 127 };
      const meanMagnitudes = (vector: Float32Array): Float32Array => {
        const scales = new Float32Array(Math.ceil(vector.length / size));
        const signs = new Float32Array(vector.length);
        roundToSigns(vector, signs, size);
        for (const block of scales.keys()) scales[block] = Math.abs(signs[block * size]!);
        return scales;
      };
      for (const members of [together, together.map((vector) => Float32Array.from(vector))]) {
        const beside = (length: number): Float32Array => allocateBeside(members[0]!, length);
        const mean = (out: Float32Array) => ({
          vectors: members,
          out,
          blockSize: size,
          by,
          scratch: beside(4 * members.length),
        });
        const out = beside(values[0]!.length);
        meanOfIntegers(mean(out), 127);
        expect([...out]).toEqual(meanOfRounded(members, by, (x, y) => roundToIntegers(x, y, integers)));
        meanOfSigns(mean(out), members.map(meanMagnitudes));
        expect([...out]).toEqual(meanOfRounded(members, by, (x, y) => roundToSigns(x, y, size)));
      }
    }),
    { numRuns: 200 },
  );
});

test("elements from a magnitude on are found in their order, what is not a number among them", () => {
  fc.assert(
    fc.property(elements, fc.float({ min: 0, max: 200, noNaN: true }), fc.nat(80), (values, from, room) => {
      const threshold = new Uint32Array(Float32Array.of(from).buffer)[0]!;
      const expected = values.flatMap((value, i) =>
        Number.isNaN(value) || Math.abs(Math.fround(value)) >= from ? [i] : [],
      );
      for (const { x } of both(values))
        for (const out of [new Float32Array(room), allocateBeside(x, room)]) {
          expect(collectAtLeast(x, threshold, out)).toBe(expected.length);
          const found = new Uint32Array(out.buffer, out.byteOffset, Math.min(room, expected.length));
          expect([...found]).toEqual(expected.slice(0, room));
        }
    }),
  );
});
