import { describe, expect, test } from "vitest";
import type { Tensor } from "../borrow.ts";
import { flops } from "../flops.ts";
import { valueAndGrad } from "../gradient.ts";
import type { TensorType } from "../host.ts";
import { formatComputation } from "../ir.ts";
import * as ops from "../ops.ts";
import { lower } from "../program.ts";
import { trace } from "../trace.ts";
import { simplify } from "./index.ts";

const float = (...shape: number[]): TensorType => ({ shape, dtype: "float32" });

/** The operations that are left of a function of x, in order. */
function operationsOf(f: (x: Tensor) => unknown, type: TensorType): string[] {
  const { computation } = trace(({ x }: { x: Tensor }) => f(x), { x: type });
  return simplify(computation).instructions.map(({ operation }) =>
    "function" in operation ? `${operation.kind}.${operation.function}` : operation.kind,
  );
}

const gradientOf = (f: (x: Tensor) => Tensor) => (x: Tensor) => valueAndGrad((v: Tensor) => ops.sum(f(v)))(x);

describe("patterns", () => {
  test("the rectifier and its gradient", () => {
    expect(operationsOf(ops.relu, float(4))).toEqual(["unary.relu"]);
    const found = operationsOf(gradientOf(ops.relu), float(4));
    expect(found).toContain("reluGradient");
    expect(found).not.toContain("select");
  });

  test("max pooling: of tiles by comparison, of other windows by indices, of overlapping ones not at all", () => {
    const pooled = (size: number, window: number, stride: number): string[] =>
      operationsOf(
        gradientOf((x) => ops.maxPool2d(x, window, stride)),
        float(1, 1, size, size),
      );
    for (const [size, window, stride] of [
      [4, 2, 2],
      [5, 2, 2],
      [5, 2, 3],
    ] as const)
      expect(pooled(size, window, stride)).toEqual(expect.arrayContaining(["maxPool", "maxPoolGradient"]));
    expect(pooled(5, 3, 1)).toContain("overlapAdd");
  });

  test("a relu before max pooling is masked after pooling", () => {
    const { computation } = trace(
      ({ x }: { x: Tensor }) => gradientOf((v) => ops.maxPool2d(ops.relu(v), 2))(x),
      { x: float(1, 1, 4, 4) },
    );
    const mask = simplify(computation).instructions.find(
      ({ operation }) => operation.kind === "reluGradient",
    );
    expect(mask!.outputs[0]!.shape).toEqual([1, 1, 2, 2]);
  });

  test("equal operations are done once, whatever the order of a product's operands", () => {
    const f = (x: Tensor): Tensor => {
      const y = ops.exp(x);
      return ops.add(ops.multiply(x, y), ops.multiply(ops.exp(x), x));
    };
    expect(operationsOf(f, float(4))).toEqual(["unary.exp", "binary.multiply", "binary.add"]);
    const text = new TextDecoder().decode(lower(({ x }: { x: Tensor }) => f(x), { x: float(4) }).bytes);
    expect(text).not.toContain("Add");
  });

  test("a quotient of equals is a division, that by a row's sum a product", () => {
    expect(operationsOf((x) => ops.divide(x, ops.exp(x)), float(4))).toEqual(["unary.exp", "binary.divide"]);
    const shared = operationsOf((x) => ops.divide(x, ops.sum(x, { axis: 1, keepdims: true })), float(4, 3));
    expect(shared).toContain("unary.reciprocal");
  });
});

test("a computation reads as text", () => {
  const { computation } = trace(({ x }: { x: Tensor }) => ops.sum(ops.multiply(ops.transpose(x), 2)), {
    x: float(2, 3),
  });
  expect(formatComputation(computation)).toBe(
    [
      "inputs %0: float32[2, 3]",
      "%1: float32[3, 2] = transpose {permutation=[1,0]} %0",
      "%2: float32[3, 2] = binary.multiply %1, 2",
      "%3: float32[] = reduce.sum {axes=[0,1]} %2",
      "outputs %3",
    ].join("\n"),
  );
});

test("floating-point operations of a linear layer's training step", () => {
  const step = ({ x, w }: Record<"x" | "w", Tensor>): unknown =>
    valueAndGrad((v: Tensor) => ops.sum(ops.matmul(x, v)))(w);
  const { computation } = trace(step, { x: float(8, 6), w: float(6, 4) });
  // The product, its sum, and the product of xᵀ with the cotangent.
  expect(flops(simplify(computation))).toBe(2 * 8 * 6 * 4 + 8 * 4 + 2 * 6 * 8 * 4);
});
