import { numpy as np } from "@jax-js/jax";
import fc from "fast-check";
import { expect, test } from "vitest";
import { type JaxArray, keep, lend, type Tensor } from "../borrow.ts";
import { valueAndGrad } from "../gradient.ts";
import type { HostTensor } from "../host.ts";
import { onnx } from "../node/onnx.ts";
import * as ops from "../ops.ts";
import { expectSame, expectSameGradient, integers, normal, seeds, shapes } from "../test/backends.ts";

test("rows at indices along any axis, of arrays in any layout, and the gradient", async () => {
  await fc.assert(
    fc.asyncProperty(
      shapes(1, 3),
      shapes(0, 2),
      fc.nat(2),
      fc.boolean(),
      seeds,
      async (shape, index, at, turn, seed) => {
        const axis = at % shape.length;
        const result = [...shape.slice(0, axis), ...index, ...shape.slice(axis + 1)];
        const f = ({ x, i }: { readonly [name: string]: Tensor }): Tensor =>
          ops.take(turn ? ops.transpose(x!) : x!, i!, axis);
        const x = normal(turn ? [...shape].reverse() : shape, seed);
        await expectSameGradient(f, { x, i: integers(index, shape[axis]!, seed) }, result);
      },
    ),
    { numRuns: 30 },
  );
});

/** x[i, j] with two index arrays. */
const pick = (x: Tensor, i: Tensor, j: Tensor): Tensor =>
  keep((lend(x) as JaxArray & { slice(...index: JaxArray[]): JaxArray }).slice(lend(i), lend(j)));

test("two index arrays", () =>
  expectSameGradient(
    ({ x, i, j }) => pick(x!, i!, j!),
    { x: normal([4, 5, 2]), i: integers([3, 2], 4), j: integers([2], 5) },
    [3, 2, 2],
  ));

test("an embedding of many words scatters its gradient", async () => {
  const words = 1500;
  const x = normal([words, 3]);
  const i = { shape: [4], data: Int32Array.of(7, 1499, 7, 0) };
  const f = (args: { x: Tensor; i: Tensor }): unknown => {
    const [, gradient] = valueAndGrad((table: Tensor) => ops.sum(ops.square(ops.take(table, args.i))))(
      args.x,
    );
    return gradient;
  };
  await using program = await onnx.compile<object, HostTensor>(f, { x, i });
  const { data } = await program.run({ x, i });
  for (const [row, times] of [
    [7, 2],
    [1499, 1],
    [0, 1],
    [8, 0],
  ] as const)
    expect(data[row * 3]).toBeCloseTo(2 * times * x.data[row * 3]!, 5);
});

test("one-hot rows, and gathering from repeated and scaled arrays", () =>
  expectSame(
    ({ x, i }) => ({
      oneHot: ops.oneHot(i, 5),
      scaled: ops.take(ops.multiply(x, 3), i),
      repeated: ops.take(ops.broadcastTo(ops.sum(x, { axis: 0 }), [5, 2]), i),
      reversed: ops.take(keep(np.flip(lend(x), 0)), i),
      integers: ops.take(i, i),
    }),
    { x: normal([5, 2]), i: integers([3], 3) },
  ));
