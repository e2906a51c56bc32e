import { expect, test } from "vitest";
import type { Tensor } from "../borrow.ts";
import { valueAndGrad } from "../gradient.ts";
import { expectSame, normal } from "../test/backends.ts";
import "../test/allclose.ts";
import * as ops from "../ops.ts";
import { wasm } from "./wasm.ts";

// jax-js 0.1.25 as it is published fails these; scripts/mendJax.mjs says why.
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
