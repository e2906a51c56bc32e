import { numpy as np } from "@jax-js/jax";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Tensor } from "../borrow.ts";
import { valueAndGrad } from "../gradient.ts";
import * as ops from "../ops.ts";
import { lower } from "../program.ts";
import { borrowing, expectSame, expectSameGradient, integers, normal, seeds } from "../test/backends.ts";

const size = fc.integer({ min: 1, max: 4 });

/** Swaps the last two axes without moving data, so that the operand reaches the product transposed. */
const turnLast = (x: Tensor): Tensor => {
  const axes = [...Array(x.ndim).keys()];
  return ops.transpose(x, [...axes.slice(0, -2), x.ndim - 1, x.ndim - 2]);
};

test("matrix products in every orientation, with batches that broadcast, a bias and a factor", async () => {
  const options = fc.record({
    batch: fc.array(size, { maxLength: 2 }),
    sizes: fc.tuple(size, size, size),
    shared: fc.constantFrom("both", "left", "right"),
    turns: fc.tuple(fc.boolean(), fc.boolean(), fc.boolean()),
    bias: fc.constantFrom("none", "columns", "rows", "full"),
    factor: fc.constantFrom(1, -1, 0.5),
    seed: seeds,
  });
  await fc.assert(
    fc.asyncProperty(options, async ({ batch, sizes: [m, k, n], shared, turns, bias, factor, seed }) => {
      const front = (side: string): number[] =>
        shared === "both" || shared === side ? batch : batch.map(() => 1);
      const shape = (side: "left" | "right", rows: number, columns: number, turned: boolean): number[] => [
        ...front(side),
        ...(turned ? [columns, rows] : [rows, columns]),
      ];
      const x = normal(shape("left", m, k, turns[0]), seed);
      const y = normal(shape("right", k, n, turns[1]), seed + 1);
      const b = normal(bias === "columns" ? [n] : bias === "rows" ? [m, 1] : [m, n], seed + 2);
      const result = [...batch, m, n];
      const f = (args: { readonly [name: string]: Tensor }): Tensor => {
        const left = turns[0] ? turnLast(args.x!) : args.x!;
        const right = turns[1] ? turnLast(args.y!) : args.y!;
        const product = ops.multiply(ops.matmul(left, right), factor);
        const sum = bias === "none" ? product : ops.add(product, args.b!);
        return turns[2] ? turnLast(ops.tanh(turnLast(sum))) : sum;
      };
      if (shared !== "both") {
        await expectSame(f, { x, y, b }); // jax-js has no gradient where batches broadcast.
        return;
      }
      await expectSameGradient(f, { x, y, b }, result);
      await expectSameGradient((args) => f({ ...args, x: args.y!, y: args.x! }), { x: y, y: x, b }, result);
    }),
    { numRuns: 40 },
  );
});

test.each([
  ["bqhd,bkhd->bhqk", [2, 3, 2, 4], [2, 3, 2, 4], [2, 2, 3, 3]],
  ["bhqk,bkhd->bqhd", [2, 2, 3, 3], [2, 3, 2, 4], [2, 3, 2, 4]],
  ["ij,jk->ki", [2, 3], [3, 4], [4, 2]],
  ["ab,cb->ac", [2, 3], [4, 3], [2, 4]],
  ["abc,abc->b", [2, 3, 4], [2, 3, 4], [3]],
  ["i,j->ij", [3], [2], [3, 2]],
  ["i,i->", [3], [3], []],
] as const)("einsum %s", (subscripts, left, right, result) =>
  expectSameGradient(
    ({ x, y }) => ops.einsum(subscripts, x!, y!),
    { x: normal(left), y: normal(right, 1) },
    result,
  ),
);

test("products of repeated operands and of integers", () =>
  expectSame(
    ({ x, y, n }) => ({
      repeated: ops.matmul(ops.broadcastTo(ops.sum(x, { axis: 1, keepdims: true }), [3, 4]), y),
      ones: ops.matmul(ops.broadcastTo(1, [2, 4]), y),
      integers: borrowing((a, b) => np.matmul(a, b))(n, ops.transpose(n)),
      vector: borrowing((a, b) => np.dot(a, b))(x, ops.reshape(ops.slice(y, 0, 1, 1), [4])),
    }),
    { x: normal([3, 4]), y: normal([4, 5]), n: integers([3, 4], 9) },
  ));

test("a linear layer and its gradient are three products without a transposition", () => {
  const loss = (w: Tensor, x: Tensor, b: Tensor): Tensor => ops.sum(ops.tanh(ops.add(ops.matmul(x, w), b)));
  const { bytes } = lower(
    ({ x, w, b }: Record<"x" | "w" | "b", Tensor>) => {
      const [value, gradient] = valueAndGrad((p: { w: Tensor; x: Tensor }) => loss(p.w, p.x, b))({ w, x });
      return { value, gradient };
    },
    { x: normal([8, 6]), w: normal([6, 4]), b: normal([4]) },
  );
  const text = new TextDecoder().decode(bytes);
  expect(text.match(/Gemm_\d+/g)?.length).toBeGreaterThan(0);
  expect(text).not.toMatch(/Transpose/);
});

test("a product that others read too is computed once, apart from its bias", async () => {
  const f = ({ x, w, b }: Record<"x" | "w" | "b", Tensor>): unknown => {
    const product = ops.matmul(x, w);
    return { biased: ops.add(ops.reshape(product, [2, 4, 4]), b), product };
  };
  const example = { x: normal([8, 6]), w: normal([6, 4]), b: normal([4]) };
  await expectSame(f, example);
  const text = new TextDecoder().decode(lower(f, example).bytes);
  expect(text).toContain("MatMul");
  expect(text).not.toContain("Gemm");
});
