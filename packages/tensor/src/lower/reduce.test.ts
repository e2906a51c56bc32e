import { numpy as np } from "@jax-js/jax";
import fc from "fast-check";
import { test } from "vitest";
import type { Tensor } from "../borrow.ts";
import * as ops from "../ops.ts";
import {
  booleans,
  borrowing,
  expectSame,
  expectSameGradient,
  integers,
  normal,
  positive,
  seeds,
  shapes,
} from "../test/backends.ts";

const shapeAndAxes = shapes(1).chain((shape) =>
  fc.tuple(fc.constant(shape), fc.subarray([...shape.keys()], { minLength: 1 })),
);

const reductions = {
  sum: (x: Tensor, axis: number[]) => ops.sum(x, { axis }),
  mean: (x: Tensor, axis: number[]) => ops.mean(x, { axis, keepdims: true }),
  max: (x: Tensor, axis: number[]) => ops.max(x, { axis }),
  min: (x: Tensor, axis: number[]) => borrowing((y) => np.min(y, axis))(x),
  product: (x: Tensor, axis: number[]) => borrowing((y) => np.prod(y, axis))(x),
} as const;

test.each(Object.keys(reductions) as (keyof typeof reductions)[])("%s over any axes", async (name) => {
  await fc.assert(
    fc.asyncProperty(shapeAndAxes, fc.boolean(), seeds, async ([shape, axes], turned, seed) => {
      const axis = turned ? axes.map((d) => shape.length - 1 - d) : axes;
      const kept = shape.map((size, d) => (axes.includes(d) ? 1 : size));
      const oriented = turned ? [...kept].reverse() : kept;
      const f = ({ x }: { readonly [name: string]: Tensor }): Tensor =>
        ops.reshape(reductions[name](turned ? ops.transpose(x!) : x!, axis), oriented);
      const x = name === "product" ? positive(shape, seed) : normal(shape, seed);
      if (name === "product") await expectSame(f, { x }, { relative: 1e-3 });
      else await expectSameGradient(f, { x }, oriented);
    }),
    { numRuns: 15 },
  );
});

test("repeated arrays, integers and booleans", () =>
  expectSame(
    ({ x, n, b }) => ({
      sum: ops.sum(ops.broadcastTo(x, [4, 3]), { axis: 0 }),
      product: borrowing((y) => np.prod(y, 0))(ops.broadcastTo(x, [4, 3])),
      max: ops.max(ops.broadcastTo(x, [4, 3])),
      integers: ops.sum(ops.broadcastTo(n, [4, 3])),
      largest: ops.max(n),
      any: borrowing((y) => np.any(y))(b),
      all: borrowing((y) => np.all(y))(b),
      count: ops.sum(ops.cast(b, "int32")),
    }),
    { x: positive([3]), n: integers([3], 9), b: booleans([5]) },
  ));

test("argmax takes the first of ties", () =>
  expectSame(
    ({ x, n }) => ({
      floats: ops.argmax(x, 0),
      integers: ops.argmax(n),
      rows: ops.argmax(ops.transpose(x), -1),
    }),
    { x: normal([4, 5]), n: integers([6, 5], 3) },
  ));
