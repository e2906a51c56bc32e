import { createRandom } from "@atoll/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { allocateBeside, createHeap } from "../memory.ts";
import { momentumAndCollect, momentumAndSigns } from "./momentum.ts";
import {
  adamDirection,
  adaptiveStep,
  addVectors,
  averageVectors,
  copyVector,
  decayAndAdd,
  decayAndAddDifference,
  decayAndAddSquare,
  divideVector,
  nesterovStep,
  pairStep,
  subtractVectors,
} from "./vectors.ts";

type Vectors = readonly [Float32Array, Float32Array, Float32Array];

/** Each operation on three vectors of one length, with three numbers. */
const operations: Readonly<Record<string, (v: Vectors, n: readonly [number, number, number]) => void>> = {
  addVectors: ([a, b, c]) => addVectors(a, b, c),
  subtractVectors: ([a, b, c]) => subtractVectors(a, b, c),
  divideVector: ([a], [by]) => divideVector(a, Math.fround(by)),
  averageVectors: ([a, b]) => averageVectors(a, b),
  decayAndAdd: ([a, b], [decay, factor]) => decayAndAdd(a, b, { decay, factor }),
  decayAndAddDifference: ([a, b, c], [decay]) => decayAndAddDifference(a, b, c, decay),
  decayAndAddSquare: ([a, b], [decay, factor]) => decayAndAddSquare(a, b, { decay, factor }),
  momentumAndCollect([velocity, total, gradients], [momentum]) {
    const out = allocateBeside(velocity, 50);
    const threshold = new Uint32Array(Float32Array.of(1).buffer)[0]!;
    const count = momentumAndCollect({ velocity, total, gradients }, momentum, { threshold, out });
    const places = new Uint32Array(out.buffer, out.byteOffset, count);
    expect([...places]).toEqual([...total.keys()].filter((i) => Math.abs(total[i]!) >= 1));
  },
  momentumAndSigns([mean, gradients, residual], [b1]) {
    const scales = allocateBeside(mean, Math.ceil(mean.length / 7));
    momentumAndSigns({ mean, gradients, residual, scales }, { b1, blockSize: 7 });
    gradients.set(scales);
  },
  copyVector: ([a, b]) => copyVector(a, b),
  nesterovStep: ([anchor, change, velocity], [learningRate, momentum]) =>
    nesterovStep({ anchor, change, velocity }, { learningRate, momentum }),
  pairStep([anchor, change, velocity], [learningRate, momentum]) {
    const [out, mean] = [allocateBeside(anchor, anchor.length), allocateBeside(anchor, anchor.length)];
    for (let i = 0; i < mean.length; i++) mean[i] = 0.9 * anchor[i]!;
    pairStep({ out, anchor, change, mean, velocity }, { learningRate, momentum });
    expect([...out]).toEqual([...anchor]);
  },
  adaptiveStep([anchor, change, mean], [b1, keep, tau]) {
    const square = allocateBeside(anchor, anchor.length);
    for (let i = 0; i < square.length; i++) square[i] = Math.abs(mean[i]!) / 3;
    adaptiveStep({ anchor, change, mean, square }, { learningRate: 0.1, b1, keep, added: 0.3, tau });
    change.set(square);
  },
  adamDirection([a, b, c], [meanScale, rootScale, eps]) {
    for (let i = 0; i < c.length; i++) c[i] = Math.abs(c[i]!);
    adamDirection(a, { mean: b, square: c }, { meanScale, rootScale, eps });
  },
};

test.each(Object.keys(operations))("%s gives the same bits in shared memory as in plain arrays", (name) => {
  const heap = createHeap();
  const home = heap.alloc(1);
  const number = fc.double({ min: 0.001, max: 3, noNaN: true });
  fc.assert(
    fc.property(fc.nat(40), fc.nat(), fc.tuple(number, number, number), (length, seed, numbers) => {
      const random = createRandom(seed);
      const plain = [0, 1, 2].map(() =>
        Float32Array.from({ length }, () => random.normal() * 10 ** (random.normal() * 3)),
      ) as unknown as Vectors;
      const shared = plain.map((vector) => {
        const copy = allocateBeside(home, length + 1).subarray(1);
        copy.set(vector);
        return copy;
      }) as unknown as Vectors;
      operations[name]!(plain, numbers);
      operations[name]!(shared, numbers);
      expect(shared.map((vector) => [...vector])).toEqual(plain.map((vector) => [...vector]));
    }),
  );
});

test("an average has the bits of a sum in float64 that is halved and rounded once", () => {
  const float = fc.float({ noNaN: true, max: Math.fround(2 ** 126), min: Math.fround(-(2 ** 126)) });
  // Sums whose last bits are lost, and those that are as small as numbers get.
  const near = fc.tuple(float, fc.integer({ min: -3, max: 3 })).map(([a, off]) => {
    const bits = new Int32Array(Float32Array.of(a).buffer);
    bits[0]! += off;
    return [a, new Float32Array(bits.buffer)[0]!] as const;
  });
  const tiny = fc.integer({ min: -(2 ** 27), max: 2 ** 27 }).map((n) => Math.fround(n * 2 ** -149));
  const pair = fc.oneof(fc.tuple(float, float), near, fc.tuple(tiny, tiny));
  fc.assert(
    fc.property(pair, ([a, b]) => {
      const average = Float32Array.of(a);
      averageVectors(average, Float32Array.of(b));
      expect(average[0]).toBe(Math.fround((a + b) / 2));
    }),
    { numRuns: 2000 },
  );
});

test("a vector beside one of a heap is of that heap; beside a plain array it is plain", () => {
  const heap = createHeap();
  const vector = heap.alloc(3);
  expect(heap.addressOf(allocateBeside(vector.subarray(1), 5) as typeof vector).length).toBe(5);
  expect(allocateBeside(new Float32Array(2), 4)).toEqual(new Float32Array(4));
});
