import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Tensor } from "../borrow.ts";
import { grad, valueAndGrad } from "../gradient.ts";
import type { HostTensor } from "../host.ts";
import { formatComputation } from "../ir.ts";
import { onnx } from "../node/onnx.ts";
import * as ops from "../ops.ts";
import { lower } from "../program.ts";
import { simplify } from "../simplify/index.ts";
import {
  expectSame,
  expectSameGradient,
  integers,
  normal,
  positive,
  seeds,
  shapes,
} from "../test/backends.ts";
import { trace } from "../trace.ts";
import { fusedCrossEntropy } from "./crossEntropy.ts";
import { fusedGelu } from "./gelu.ts";
import { fusedLayerNorm } from "./layerNorm.ts";
import { fusedSoftmax } from "./softmax.ts";

const float = (...shape: number[]) => ({ shape, dtype: "float32" }) as const;

/** Names of the fused operations that the compiler found. */
function fusedIn(f: (args: never) => unknown, example: Parameters<typeof trace>[1]): string[] {
  const text = formatComputation(simplify(trace(f, example).computation));
  return [...text.matchAll(/(fused|fusedGradient) \{kernel="(\w+)"\}/g)].map(
    ([, kind, name]) => `${kind} ${name}`,
  );
}

describe("kernels give what their functions give, gradients too", () => {
  const runs = { numRuns: 12 };
  test("softmax and gelu", async () => {
    await fc.assert(
      fc.asyncProperty(shapes(1), fc.boolean(), seeds, async (shape, turn, seed) => {
        const sizes = shape.map((size) => size + 1);
        const f =
          (kernel: (x: Tensor) => Tensor) =>
          (args: { readonly [name: string]: Tensor }): Tensor =>
            ops.multiply(kernel(turn ? ops.transpose(ops.multiply(args.x!, 2)) : args.x!), -2);
        const x = normal(turn ? [...sizes].reverse() : sizes, seed);
        await expectSameGradient(f(fusedSoftmax), { x }, sizes);
        await expectSameGradient(f(fusedGelu), { x }, sizes);
      }),
      runs,
    );
  });

  test("layer norm", async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(shapes(1, 3), fc.constant([])), seeds, async (outer, seed) => {
        const shape = [...outer, 5];
        const [x, w, b] = [normal(shape, seed), positive([5], seed), normal([5], seed)];
        const tolerance = { absolute: 1e-4 };
        await expectSameGradient((a) => fusedLayerNorm(a.x!, a.w!, a.b!), { x, w, b }, shape, tolerance);
        await expectSameGradient(
          (a) => fusedLayerNorm(a.v!, a.x!, a.b!),
          { x: w, v: x, b },
          shape,
          tolerance,
        );
        await expectSameGradient(
          (a) => fusedLayerNorm(a.v!, a.w!, a.x!),
          { x: b, v: x, w },
          shape,
          tolerance,
        );
      }),
      runs,
    );
  });

  test("cross-entropy", async () => {
    await fc.assert(
      fc.asyncProperty(shapes(1, 3), seeds, async (outer, seed) => {
        const args = { x: normal([...outer, 6], seed), labels: integers(outer, 6, seed) };
        await expectSameGradient((a) => fusedCrossEntropy(a.x!, a.labels!), args, outer);
        await expectSameGradient((a) => ops.mean(fusedCrossEntropy(a.x!, a.labels!)), args, []);
      }),
      runs,
    );
  });
});

test("where scores are far apart, the gradient of cross-entropy is zero instead of subnormal, and NaN stays NaN", async () => {
  const scores = [0, -20, -60, -75, -90, -100];
  const logits = { shape: [2, 6], data: Float32Array.of(...scores, ...scores.with(1, Number.NaN)) };
  const args = { logits, labels: { shape: [2], data: Int32Array.of(0, 0) }, weights: positive([2]) };
  type Traced = Record<keyof typeof args, Tensor>;
  const gradients = (a: Traced): unknown => ({
    ofMean: grad((x: Tensor) => ops.mean(fusedCrossEntropy(x, a.labels)))(a.logits),
    ofWeighted: grad((x: Tensor) => ops.sum(ops.multiply(fusedCrossEntropy(x, a.labels), a.weights)))(
      a.logits,
    ),
  });
  await using program = await onnx.compile<typeof args, Record<string, HostTensor>>(gradients, args);
  for (const [name, { data }] of Object.entries(await program.run(args))) {
    const factor = name === "ofMean" ? 0.5 : args.weights.data[0]!;
    const [, second, third, ...others] = data.subarray(0, 6);
    expect(second! / (factor * Math.exp(-20))).toBeCloseTo(1, 4);
    expect(third! / (factor * Math.exp(-60))).toBeCloseTo(1, 4);
    expect(others).toEqual([0, 0, 0]);
    expect([...data.subarray(6)]).toEqual(new Array(6).fill(Number.NaN));
  }
});

describe("calls are found in the trace", () => {
  test("without a gradient", () => {
    expect(fusedIn(({ x }: { x: Tensor }) => fusedSoftmax(x), { x: float(3, 4) })).toEqual(["fused softmax"]);
  });

  test("with one, inside other functions, several times", () => {
    const loss = (p: { x: Tensor; w: Tensor; b: Tensor }): Tensor =>
      ops.sum(fusedSoftmax(fusedGelu(fusedLayerNorm(fusedGelu(p.x), p.w, p.b))));
    const found = fusedIn((p: { x: Tensor; w: Tensor; b: Tensor }) => valueAndGrad(loss)(p), {
      x: float(3, 4),
      w: float(4),
      b: float(4),
    });
    expect(found.sort()).toEqual([
      "fused gelu",
      "fused gelu",
      "fused layerNorm",
      "fused softmax",
      "fusedGradient gelu",
      "fusedGradient gelu",
      "fusedGradient layerNorm",
      "fusedGradient softmax",
    ]);
  });

  test("a call of which only some arguments are differentiated is inlined, and right", async () => {
    const f = ({ x, w, b }: Record<"x" | "w" | "b", Tensor>): unknown =>
      valueAndGrad((v: Tensor) => ops.sum(ops.square(fusedLayerNorm(v, w, b))))(x);
    expect(fusedIn(f, { x: float(3, 4), w: float(4), b: float(4) })).toEqual([]);
    await expectSame(f, { x: normal([3, 4]), w: positive([4]), b: normal([4], 1) }, { absolute: 1e-4 });
  });

  test("constants that only the kernel's own function uses are not made", () => {
    const vocabulary = 1_000_000; // The identity matrix of that many classes would have 10¹² elements.
    const example = { logits: float(2, vocabulary), labels: { shape: [2], dtype: "int32" } } as const;
    const f = ({ logits, labels }: Record<"logits" | "labels", Tensor>): unknown =>
      valueAndGrad((x: Tensor) => ops.mean(fusedCrossEntropy(x, labels)))(logits);
    expect(lower(f, example).bytes.length).toBeLessThan(10_000);
  });
});
