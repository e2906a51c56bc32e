import fc from "fast-check";
import { expect, test } from "vitest";
import { createHeap } from "../memory.ts";
import "../test/allclose.ts";
import { emitElementwise } from "./elementwise.ts";
import { type Code, encodeModule, unsigned } from "./encode.ts";
import { createKernels, type Kernels } from "./kernels.ts";

const values = fc.array(fc.float({ noNaN: true, noDefaultInfinity: true, min: -1e3, max: 1e3 }), {
  minLength: 1,
  maxLength: 37,
});

function onHeap(...arrays: readonly (readonly number[])[]): { kernels: Kernels; vectors: Float32Array[] } {
  const heap = createHeap();
  const vectors = arrays.map((array) => {
    const vector = heap.alloc(array.length);
    vector.set(array);
    return vector;
  });
  return { kernels: createKernels(heap.memories[0]!), vectors };
}

const f = Math.fround;

test("accumulate and scale round as float32 arithmetic does", () => {
  fc.assert(
    fc.property(values, fc.float({ noNaN: true, min: -8, max: 8 }), (array, factor) => {
      const { kernels, vectors } = onHeap(array, array.toReversed());
      const [a, b] = vectors as [Float32Array, Float32Array];
      kernels.run("accumulate", { a, b }, { factor });
      const sums = array.map((x, i) => f(x + f(array.at(-1 - i)! * factor)));
      expect([...a]).toEqual(sums);
      kernels.run("scale", { a }, { factor });
      expect([...a]).toEqual(sums.map((x) => f(x * factor)));
    }),
  );
});

test("a range leaves the rest alone, wherever it starts", () => {
  const array = Array.from({ length: 40 }, (_, i) => i);
  fc.assert(
    fc.property(fc.nat(40), fc.nat(40), (x, y) => {
      const [start, end] = [Math.min(x, y), Math.max(x, y)];
      const { kernels, vectors } = onHeap(array);
      kernels.run("scale", { a: vectors[0]! }, { factor: -1 }, { start, end });
      expect([...vectors[0]!]).toEqual(array.map((v) => (v >= start && v < end ? -v : v)));
    }),
  );
});

test("the sum of squares is added up in double precision", () => {
  fc.assert(
    fc.property(values, (array) => {
      const { kernels, vectors } = onHeap(array);
      const exact = array.reduce((sum, x) => sum + x * x, 0);
      expect(
        Math.abs(kernels.squaredNorm("gradientNorm", { gradients: vectors[0]! }, {}) - exact),
      ).toBeLessThanOrEqual(1e-14 * exact);
    }),
  );
  const { kernels, vectors } = onHeap(Array.from({ length: 1001 }, () => 1e30));
  expect(kernels.squaredNorm("gradientNorm", { gradients: vectors[0]! }, {})).toBeCloseTo(
    1001 * f(1e30) ** 2,
    -50,
  );
});

test.each(["float32", "float64"] as const)("what is small becomes zero, computed in %s", (precision) => {
  const kernel = emitElementwise({
    name: "zeroSmall",
    vectors: ["x"],
    scalars: [],
    precision,
    formula: (f) => f.store("x", f.zeroBelow(f.load("x"), 0.5)),
  });
  const heap = createHeap();
  // Some in registers, and three that are left over.
  const given = [0.4, -0.4, 0.5, -0.5, -3, Number.NaN, -0, Number.NEGATIVE_INFINITY, -0.4, 8, -8];
  const x = heap.alloc(given.length);
  x.set(given);
  const module = new WebAssembly.Module(encodeModule([kernel]));
  const { exports } = new WebAssembly.Instance(module, { env: { memory: heap.memories[0]! } });
  (exports.zeroSmall as (x: number, length: number) => void)(x.byteOffset, x.length);
  expect([...x]).toEqual(given.map((value) => (Math.abs(value) < 0.5 ? 0 : value)).map(f));
});

test.each(["momentum", "nesterov"] as const)(
  "%s decays to zero, and exactly until its product with a learning rate might be subnormal",
  (kernel) => {
    const decayed = (state: readonly number[], momentum: number, turns = 1): number[] => {
      const zeros = state.map(() => 0);
      const { kernels, vectors } = onHeap(zeros, zeros, state);
      const [parameters, gradients, velocity] = vectors as [Float32Array, Float32Array, Float32Array];
      const scalars = { gradientScale: 1, l2: 0, momentum, learningRate: 0.1 };
      for (let i = 0; i < turns; i++) kernels.run(kernel, { parameters, gradients, velocity }, scalars);
      return [...velocity];
    };
    const least = 2 ** -100;
    const kept = [2 * least, -2 * least, f(1.3 * 2 ** -90), f(-2.2 * least), 8, Number.NaN];
    expect(decayed(kept, 0.5)).toEqual(kept.map((value) => value / 2));
    expect(decayed([1.9 * least, -least, 1e-38, 1e-40, -1e-39], 0.5)).toEqual([0, 0, 0, 0, 0]);
    expect(decayed([1, -1, 1e10, 1e-20, -1], 0.9, 1000)).toEqual([0, 0, 0, 0, 0]);
  },
);

/** Adam's first step from parameters of zero, and the state after it. */
function adamStep(
  [gradient, mean, square]: readonly (readonly number[])[],
  { b1, b2, eps }: Readonly<Record<"b1" | "b2" | "eps", number>>,
): Readonly<Record<"parameters" | "mu" | "nu", readonly number[]>> {
  const { kernels, vectors } = onHeap(
    gradient!.map(() => 0),
    gradient!,
    mean!,
    square!,
  );
  const [parameters, gradients, mu, nu] = vectors;
  const decays = { b1, oneMinusB1: 1 - b1, b2, oneMinusB2: 1 - b2 };
  const corrections = { root: 1 / Math.sqrt(1 - b2), stepSize: 1e-3 / (1 - b1) };
  const scalars = { gradientScale: 1, l2: 0, keep: 1, eps, ...decays, ...corrections };
  kernels.run("adam", { parameters: parameters!, gradients: gradients!, mu: mu!, nu: nu! }, scalars);
  return { parameters: [...parameters!], mu: [...mu!], nu: [...nu!] };
}

test("Adam's state decays to zero, the mean of squares only just before it would be subnormal", () => {
  const [least, leastSquare] = [2 ** -100, 2 ** -125];
  const means = [2 * least, -2 * least, -1.9 * least, 1.9 * least, 1e-40];
  const squares = [2 * leastSquare, 8, 1.9 * leastSquare, 3 * leastSquare, 1e-40];
  const { mu, nu } = adamStep([[0, 0, 0, 0, 0], means, squares], { b1: 0.5, b2: 0.5, eps: 1e-8 });
  expect(mu).toEqual([least, -least, 0, 0, 0]);
  expect(nu).toEqual([leastSquare, 4, 0, 1.5 * leastSquare, 0]);
});

test("Adam's step is as long as the learning rate where gradients of 1e-14 are far above eps", () => {
  const zeros = [0, 0, 0, 0, 0];
  const gradient = [1e-14, -1e-14, 1e-13, 1, 1e-14];
  const { parameters } = adamStep([gradient, zeros, zeros], { b1: 0.9, b2: 0.999, eps: 1e-18 });
  for (const [i, parameter] of parameters.entries())
    expect(parameter).toBeCloseTo(-1e-3 * Math.sign(gradient[i]!), 6);
});

test("vectors that are not in the kernel's memory are refused", () => {
  const { kernels, vectors } = onHeap([1, 2, 3]);
  expect(() => kernels.run("scale", { a: new Float32Array(3) }, { factor: 2 })).toThrow(/memory/);
  const { vectors: elsewhere } = onHeap([1, 2, 3]);
  expect(() => kernels.run("scale", { a: elsewhere[0]! }, { factor: 2 })).toThrow(/memory/);
  expect(() => kernels.run("scale", { a: vectors[0]! }, { factor: 2 }, { start: 0, end: 4 })).toThrow(
    /memory/,
  );
});

test("numbers are encoded seven bits a byte, low ones first", () => {
  const decode = (code: Code) => code.reduce((sum, byte, i) => sum + (byte & 127) * 128 ** i, 0);
  fc.assert(
    fc.property(fc.nat(), (value) => {
      const code = unsigned(value);
      expect(decode(code)).toBe(value);
      expect(code.map((byte) => byte >= 128)).toEqual(code.map((_, i) => i < code.length - 1));
    }),
  );
  expect(unsigned(624485)).toEqual([0xe5, 0x8e, 0x26]);
});
