// What ops.ts adds to jax-js: argument conventions, checks and random words. The operations themselves are held to each
// other on two backends in lower/.

import { ConfigError } from "@atoll/core";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { wasm } from "./backends/wasm.ts";
import { dispose, type JaxArray, scoped, type Tensor } from "./borrow.ts";
import {
  add,
  broadcastTo,
  cast,
  concatenate,
  constant,
  foldIn,
  lowerHalf,
  lowerTriangle,
  maxPool2d,
  mean,
  multiply,
  oneHot,
  pad,
  randomBits,
  slice,
  split,
  splitKey,
  sum,
  take,
  transpose,
  uniform,
  upperHalf,
} from "./ops.ts";

beforeAll(async () => {
  // Makes jax-js's WebAssembly device ready.
  const example = { shape: [], data: new Float32Array(1) };
  await using _ = await wasm.compile((x: Tensor) => x, example);
});

/** Runs eagerly, in a scope, and reads the result. */
function values(f: () => Tensor): number[] {
  const result = scoped(f);
  const data = [...(result as JaxArray).ref.dataSync()];
  dispose(result);
  return data;
}

const range = (...shape: number[]): Tensor => {
  const length = shape.reduce((a, b) => a * b, 1);
  return constant({ shape, data: Float32Array.from({ length }, (_, i) => i) });
};
const key = (a: number, b: number): Tensor => constant({ shape: [2], data: Uint32Array.of(a, b) });

describe("cutting and joining", () => {
  test("parts of any sizes join to the whole", () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(sizes, fc.constantFrom(0, 1, -1, -2), (parts, axis) => {
        const total = parts.reduce((a, b) => a + b, 0);
        const shape = axis === 0 || axis === -2 ? [total, 3] : [3, total];
        const whole = values(() => range(...shape));
        expect(values(() => concatenate(split(range(...shape), parts, axis), axis))).toEqual(whole);
      }),
      { numRuns: 20 },
    );
  });

  test("sizes that do not add up are refused", () => {
    expect(() => scoped(() => split(range(5), [2, 2]))).toThrow(ConfigError);
  });

  test("slices count axes from either end", () => {
    expect(values(() => slice(range(2, 3), 1, 3, 1))).toEqual([1, 2, 4, 5]);
    expect(values(() => slice(range(2, 3), 1, 3, -1))).toEqual([1, 2, 4, 5]);
    expect(values(() => slice(range(2, 3), 1, 2))).toEqual([3, 4, 5]);
  });

  test("padding adds zeros at the ends of each axis", () => {
    const padded = () =>
      pad(range(1, 2), [
        [1, 0],
        [0, 1],
      ]);
    expect(values(padded)).toEqual([0, 0, 0, 0, 1, 0]);
  });
});

describe("conventions", () => {
  test("reductions take one axis, several or all, and keep them if asked", () => {
    expect(values(() => sum(range(2, 3)))).toEqual([15]);
    expect(values(() => sum(range(2, 3), { axis: -1 }))).toEqual([3, 12]);
    expect(values(() => mean(range(2, 3, 2), { axis: [0, 2] }))).toEqual([3.5, 5.5, 7.5]);
    const kept = scoped(() => sum(range(2, 3), { axis: 0, keepdims: true }));
    expect(kept.shape).toEqual([1, 3]);
    dispose(kept);
  });

  test("rows by index, indices as rows", () => {
    const indices = () => constant({ shape: [3], data: Int32Array.of(2, 0, 2) });
    expect(values(() => take(range(3, 2), indices()))).toEqual([4, 5, 0, 1, 4, 5]);
    expect(values(() => oneHot(indices(), 3))).toEqual([0, 0, 1, 1, 0, 0, 0, 0, 1]);
  });

  test("booleans become constants and numbers", () => {
    const mask = () => constant({ shape: [3], data: Uint8Array.of(1, 0, 1) });
    expect(values(() => multiply(cast(mask(), "float32"), 2))).toEqual([2, 0, 2]);
    expect(values(() => cast(lowerTriangle(2), "int32"))).toEqual([1, 0, 1, 1]);
  });

  test("shapes: transposed, broadcast, pooled", () => {
    expect(values(() => transpose(range(2, 3)))).toEqual([0, 3, 1, 4, 2, 5]);
    expect(values(() => broadcastTo(range(2), [2, 2]))).toEqual([0, 1, 0, 1]);
    expect(values(() => maxPool2d(range(1, 1, 3, 5), 2))).toEqual([6, 8]);
    expect(values(() => maxPool2d(range(1, 1, 3, 3), 2, 1))).toEqual([4, 5, 7, 8]);
  });
});

describe("random words", () => {
  test("depend on the key alone", () => {
    const words = values(() => randomBits(key(1, 2), 100));
    expect(values(() => randomBits(key(1, 2), 100))).toEqual(words);
    expect(values(() => randomBits(key(1, 3), 100))).not.toEqual(words);
    expect(new Set(words).size).toBe(100);
  });

  test("a key splits into different keys, always the same ones", () => {
    const keys = (count: number) => values(() => concatenate(splitKey(key(1, 2), count)));
    const made = keys(50);
    expect(new Set([1, 2, ...made]).size).toBe(102);
    expect(keys(50)).toEqual(made);
  });

  test("a folded key is another key, and differs by label", () => {
    const folded = (label: number) => values(() => foldIn(key(1, 2), label)).join();
    const keys = Array.from({ length: 50 }, (_, label) => folded(label));
    expect(new Set([...keys, "1,2"]).size).toBe(51);
    expect(folded(3)).toBe(keys[3]);
  });

  test("two halves of 16 bits make up a word", () => {
    const words = values(() => randomBits(key(1, 2), 64));
    const again = (half: (words: Tensor) => Tensor) => values(() => half(randomBits(key(1, 2), 64)));
    const [high, low] = [again(upperHalf), again(lowerHalf)];
    expect(high.map((h, i) => h * 65536 + low[i]!)).toEqual(words);
  });

  test("uniform numbers fill [0, 1)", () => {
    const drawn = values(() => uniform(key(5, 6), 4000));
    expect(Math.min(...drawn)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...drawn)).toBeLessThan(1);
    const average = drawn.reduce((a, b) => a + b, 0) / drawn.length;
    // Four standard deviations of the mean of 4,000.
    expect(Math.abs(average - 0.5)).toBeLessThan(4 / Math.sqrt(12 * 4000));
  });
});

test("arguments stay usable, results are new", () => {
  const x = range(3);
  const before = (x as JaxArray).refCount;
  expect(values(() => add(add(x, x), x))).toEqual([0, 3, 6]);
  expect((x as JaxArray).refCount).toBe(before);
  dispose(x);
});
