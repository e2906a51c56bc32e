// What the compiler's tests share: random arrays, functions of jax-js as borrowing ones, and the comparison of the onnx
// backend with the reference, wasm.

import { createRandom } from "@atoll/core";
import fc from "fast-check";
import { expect } from "vitest";
import { wasm } from "../backends/wasm.ts";
import { type JaxArray, keep, lend, type Tensor } from "../borrow.ts";
import { valueAndGrad } from "../gradient.ts";
import { elementCount, type HostTensor } from "../host.ts";
import { onnx } from "../node/onnx.ts";
import { multiply, sum } from "../ops.ts";
import type { Tree } from "../tree.ts";
import type { Tolerance } from "./allclose.ts";
import "./allclose.ts";

/** Normally distributed float32; no two elements are equal, and none is 0. */
export function normal(shape: readonly number[], seed = 0): HostTensor {
  const random = createRandom(seed);
  return { shape, data: Float32Array.from({ length: elementCount(shape) }, () => random.normal()) };
}

/** Uniform on (0.5, 2): positive, and far from where functions have poles. */
export function positive(shape: readonly number[], seed = 0): HostTensor {
  const random = createRandom(seed);
  return {
    shape,
    data: Float32Array.from({ length: elementCount(shape) }, () => 0.5 + 1.5 * random.uniform()),
  };
}

/** int32 in [0, bound). */
export function integers(shape: readonly number[], bound: number, seed = 0): HostTensor {
  const random = createRandom(seed);
  return { shape, data: Int32Array.from({ length: elementCount(shape) }, () => random.integer(bound)) };
}

export function booleans(shape: readonly number[], seed = 0): HostTensor {
  const random = createRandom(seed);
  return { shape, data: Uint8Array.from({ length: elementCount(shape) }, () => random.integer(2)) };
}

/** Shapes of small arrays; size 1 is common, since it is treated apart. */
export const shapes = (minLength = 0, maxLength = 4): fc.Arbitrary<number[]> =>
  fc.array(fc.integer({ min: 1, max: 4 }), { minLength, maxLength });

export const seeds: fc.Arbitrary<number> = fc.integer({ min: 0, max: 2 ** 31 - 1 });

/** A function of jax-js, which consumes its arguments, as one that borrows them. */
export const borrowing =
  (f: (...args: JaxArray[]) => JaxArray) =>
  (...args: Tensor[]): Tensor =>
    keep(f(...args.map((arg) => lend(arg))));

// Trees of tensors in and out: what the functions under test are made of.
// biome-ignore lint/suspicious/noExplicitAny: a test names the leaves of its own example and knows their types.
export type TestFunction = (args: any) => unknown;

/** Runs `f` on both backends and compares all it returns. */
export async function expectSame(
  f: TestFunction,
  example: Readonly<Record<string, HostTensor>>,
  tolerance: Tolerance = {},
): Promise<void> {
  const args = example as Tree<HostTensor>;
  await using reference = await wasm.compile<Tree<HostTensor>, Tree<HostTensor>>(f, args);
  await using native = await onnx.compile<Tree<HostTensor>, Tree<HostTensor>>(f, args);
  expect(await native.run(args)).toBeAllclose(await reference.run(args), tolerance);
}

/** Compares `f` and the gradient of a weighted sum of its result with respect to the argument `x`. */
export async function expectSameGradient(
  f: (args: { readonly [name: string]: Tensor }) => Tensor,
  example: Readonly<Record<string, HostTensor>> & { readonly x: HostTensor },
  resultShape: readonly number[],
  tolerance: Tolerance = {},
): Promise<void> {
  const weights = normal(resultShape, 99);
  await expectSame(
    ({ weights: w, ...args }) => {
      const loss = (x: Tensor): Tensor => sum(multiply(f({ ...args, x }), w));
      const [, gradient] = valueAndGrad(loss)(args.x);
      return { result: f(args), gradient };
    },
    { ...example, weights },
    tolerance,
  );
}
