import { lax, numpy as np } from "@jax-js/jax";
import fc from "fast-check";
import { expect, test } from "vitest";
import { keep, lend, type Tensor } from "../borrow.ts";
import * as ops from "../ops.ts";
import { lower } from "../program.ts";
import { expectSame, expectSameGradient, normal, seeds } from "../test/backends.ts";

const cases = fc.record({
  outer: fc.constantFrom([2, 3], [1, 1], [3], [2, 1, 2]),
  image: fc.tuple(fc.integer({ min: 4, max: 7 }), fc.integer({ min: 4, max: 7 })),
  window: fc.integer({ min: 1, max: 3 }),
  stride: fc.integer({ min: 1, max: 3 }),
  seed: seeds,
});

const count = (size: number, window: number, stride: number): number =>
  Math.floor((size - window) / stride) + 1;

const average = (x: Tensor, window: number, stride: number): Tensor =>
  keep(lax.reduceWindow(lend(x), (patch) => np.sum(patch), [window, window], [stride, stride]));

test("max pooling and its gradient, over windows that tile, overlap or leave gaps", async () => {
  await fc.assert(
    fc.asyncProperty(cases, async ({ outer, image, window, stride, seed }) => {
      const result = [...outer, ...image.map((size) => count(size, window, stride))];
      const f = ({ x }: { readonly [name: string]: Tensor }): Tensor => ops.maxPool2d(x!, window, stride);
      await expectSameGradient(f, { x: normal([...outer, ...image], seed) }, result);
    }),
    { numRuns: 30 },
  );
});

test("sums over windows and their gradient", async () => {
  await fc.assert(
    fc.asyncProperty(cases, async ({ outer, image, window, stride, seed }) => {
      const result = [...outer, ...image.map((size) => count(size, window, stride))];
      const f = ({ x }: { readonly [name: string]: Tensor }): Tensor => average(x!, window, stride);
      await expectSameGradient(f, { x: normal([...outer, ...image], seed) }, result);
    }),
    { numRuns: 20 },
  );
});

test("max pooling after a relu masks the small cotangent", async () => {
  const f = (x: Tensor): Tensor => ops.maxPool2d(ops.relu(x), 2);
  const x = normal([2, 3, 6, 6]);
  await expectSameGradient((args) => f(args.x!), { x }, [2, 3, 3, 3]);
  await expectSameGradient((args) => ops.multiply(f(ops.multiply(args.x!, -2)), 3), { x }, [2, 3, 3, 3]);
});

test("equal elements share the gradient", () =>
  expectSameGradient(
    ({ x }) => ops.maxPool2d(x!, 2),
    { x: { shape: [1, 1, 2, 4], data: Float32Array.of(1, 1, 5, 5, 0, 1, 5, 5) } },
    [1, 1, 1, 2],
  ));

test("max pooling is recognised", () => {
  const program = lower(({ x }: { x: Tensor }) => ops.maxPool2d(x, 2), { x: normal([1, 1, 4, 4]) });
  expect(new TextDecoder().decode(program.bytes)).toContain("MaxPool");
});

test("pooling a factor and integers", () =>
  expectSame(
    ({ x }) => ({
      scaled: ops.maxPool2d(ops.multiply(x, -3), 2),
      sums: average(ops.multiply(x, 0.5), 2, 2),
      integers: ops.maxPool2d(ops.cast(ops.multiply(x, 10), "int32"), 2),
    }),
    { x: normal([2, 2, 4, 4]) },
  ));
