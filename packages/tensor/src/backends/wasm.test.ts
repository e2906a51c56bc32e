import { expect, test } from "vitest";
import type { Tensor } from "../borrow.ts";
import { valueAndGrad } from "../gradient.ts";
import { expectSame, integers, normal } from "../test/backends.ts";
import "../test/allclose.ts";
import * as ops from "../ops.ts";
import { wasm } from "./wasm.ts";

// What jax-js 0.1.25 fails as it is published; scripts/mendJax.mjs says why.
test("a kernel that reduces inputs of different periods takes each row's own values", async () => {
  const k = 3;
  const r = 2;
  const n = 4;
  const a = normal([r, n], 1);
  const b = normal([n, n], 2);
  const reduced = (reduce: (x: Tensor) => Tensor) => (args: { a: Tensor; b: Tensor }) =>
    reduce(
      ops.add(
        ops.broadcastTo(ops.reshape(args.a, [1, r, n, 1]), [k, r, n, n]),
        ops.broadcastTo(args.b, [k, r, n, n]),
      ),
    );
  const expected = (reduce: (values: number[]) => number): Float32Array =>
    Float32Array.from({ length: k * n * n }, (_, index) => {
      const [i, j] = [Math.floor(index / n) % n, index % n];
      return reduce([...Array(r).keys()].map((row) => a.data[row * n + i]! + b.data[i * n + j]!));
    });
  for (const [f, scalar] of [
    [reduced((x) => ops.max(x, { axis: 1 })), (values: number[]) => Math.max(...values)],
    [
      reduced((x) => ops.sum(x, { axis: 1 })),
      (values: number[]) => values.reduce((total, value) => total + value),
    ],
  ] as const) {
    await using program = await wasm.compile<unknown, { shape: number[]; data: Float32Array }>(f, { a, b });
    expect(await program.run({ a, b })).toBeAllclose({ shape: [k, n, n], data: expected(scalar) });
  }
});

test("attention with a causal mask and a learned bias for every pair of positions has ONNX Runtime's gradient", () =>
  expectSame(
    ({ q, v, bias, mask, weights }: Readonly<Record<string, Tensor>>) => {
      const loss = (learned: Tensor): Tensor => {
        const scores = ops.add(ops.matmul(q!, ops.transpose(q!, [0, 1, 3, 2])), learned);
        const probabilities = ops.exp(ops.where(mask!, scores, -30));
        const shares = ops.divide(probabilities, ops.sum(probabilities, { axis: 3, keepdims: true }));
        return ops.sum(ops.multiply(ops.matmul(shares, v!), weights!));
      };
      const [value, gradient] = valueAndGrad(loss)(bias!);
      return { value, gradient };
    },
    {
      q: normal([2, 3, 8, 4], 1),
      v: normal([2, 3, 8, 4], 2),
      weights: normal([2, 3, 8, 4], 3),
      bias: normal([3, 8, 8], 4),
      mask: { shape: [8, 8], data: Uint8Array.from({ length: 64 }, (_, i) => (i % 8 <= i / 8 ? 1 : 0)) },
    },
    { absolute: 1e-4, relative: 1e-3 },
  ));

test.each([1, 2, 3, 5, 8])("a repeated row that is cut at an offset of %i", (offset) =>
  expectSame(
    ({ x, b, c }: Readonly<Record<string, Tensor>>) => {
      const cut = (row: Tensor): Tensor =>
        ops.slice(ops.reshape(ops.broadcastTo(row, [6, 4]), [24]), offset, offset + 16, 0);
      const loss = (y: Tensor): Tensor => ops.sum(ops.multiply(ops.multiply(y, cut(b!)), cut(c!)));
      const folded = ops.reshape(ops.multiply(x!, cut(b!)), [2, 8]);
      return {
        elements: [ops.multiply(x!, cut(b!)), ops.multiply(x!, cut(c!))],
        sums: [ops.sum(folded, { axis: 0 }), ops.max(folded, { axis: 0 })],
        gradient: valueAndGrad(loss)(x!),
      };
    },
    { x: normal([16], 1), b: normal([4], 2), c: normal([6, 1], 3) },
  ),
);

test.each([1, 2])("a padded convolution of what is not 0 at 0, to %i channels", (channels) =>
  expectSame(
    ({ x, w }: Readonly<Record<string, Tensor>>) => ({
      exp: ops.conv2d(ops.exp(x!), w!, { padding: 1 }),
      complement: ops.conv2d(ops.subtract(1, x!), w!, { padding: 2 }),
    }),
    { x: normal([2, 3, 4, 5], 1), w: normal([channels, 3, 3, 3], 2) },
    { absolute: 1e-4, relative: 1e-4 },
  ),
);

test("gradients of embeddings through a linear layer, a transpose, a slice and a mean over time", () =>
  expectSame(
    ({ table, ids, w }: Readonly<Record<string, Tensor>>) => {
      const losses: readonly ((rows: Tensor) => Tensor)[] = [
        (rows) => ops.matmul(rows, w!),
        (rows) =>
          ops.matmul(ops.reshape(rows, [2, 12]), ops.reshape(ops.broadcastTo(w!, [3, 4, 2]), [12, 2])),
        (rows) => ops.matmul(ops.mean(rows, { axis: 1 }), w!),
        (rows) => ops.matmul(ops.transpose(rows, [1, 0, 2]), w!),
        (rows) => ops.matmul(ops.slice(rows, 1, 3, 1), w!),
      ];
      return losses.map((f) => valueAndGrad((t: Tensor) => ops.sum(ops.tanh(f(ops.take(t, ids!)))))(table!));
    },
    { table: normal([6, 4], 1), ids: integers([2, 3], 6, 2), w: normal([4, 2], 3) },
    { absolute: 1e-4, relative: 1e-4 },
  ));
