import { lax, vmap } from "@jax-js/jax";
import fc from "fast-check";
import { expect, test } from "vitest";
import { type JaxArray, keep, lend, type Tensor } from "../borrow.ts";
import * as ops from "../ops.ts";
import { expectSame, expectSameGradient, normal, seeds } from "../test/backends.ts";

interface Options {
  readonly stride: [number, number];
  readonly padding: [[number, number], [number, number]];
  readonly inputDilation: [number, number];
  readonly kernelDilation: [number, number];
}

const convolve =
  ({ stride, padding, inputDilation, kernelDilation }: Options) =>
  (x: Tensor, kernel: Tensor): Tensor =>
    keep(
      lax.convGeneralDilated(lend(x), lend(kernel), stride, padding, {
        lhsDilation: inputDilation,
        rhsDilation: kernelDilation,
      }),
    );

const pair = (low: number, high: number): fc.Arbitrary<[number, number]> =>
  fc.tuple(fc.integer({ min: low, max: high }), fc.integer({ min: low, max: high }));

const options: fc.Arbitrary<Options> = fc.record({
  stride: pair(1, 2),
  padding: fc.tuple(pair(0, 2), pair(0, 2)),
  inputDilation: fc.constantFrom<[number, number]>([1, 1], [1, 1], [2, 1], [2, 3]),
  kernelDilation: fc.constantFrom<[number, number]>([1, 1], [1, 1], [2, 1]),
});

const sizes = fc.record({
  batch: fc.integer({ min: 1, max: 2 }),
  channels: fc.integer({ min: 1, max: 2 }),
  outChannels: fc.integer({ min: 1, max: 3 }),
  image: pair(5, 6),
  window: pair(1, 3),
});

test("every stride, padding and dilation, with a bias and a factor", async () => {
  await fc.assert(
    fc.asyncProperty(options, sizes, fc.constantFrom(1, -2), seeds, async (parameters, s, factor, seed) => {
      const f = ({ x, kernel, bias }: Record<"x" | "kernel" | "bias", Tensor>): unknown => {
        const result = ops.multiply(convolve(parameters)(x, kernel), factor);
        return { result, biased: ops.add(result, ops.reshape(bias, [s.outChannels, 1, 1])) };
      };
      await expectSame(f, {
        x: normal([s.batch, s.channels, ...s.image], seed),
        kernel: normal([s.outChannels, s.channels, ...s.window], seed + 1),
        bias: normal([s.outChannels], seed + 2),
      });
    }),
    { numRuns: 40 },
  );
});

test("gradients with respect to images, kernel and bias", async () => {
  const trained = fc.record({
    stride: fc.integer({ min: 1, max: 2 }),
    padding: fc.integer({ min: 0, max: 1 }),
    seed: seeds,
  });
  await fc.assert(
    fc.asyncProperty(trained, sizes, async ({ stride, padding, seed }, s) => {
      const layer = (x: Tensor, kernel: Tensor, bias: Tensor): Tensor =>
        ops.relu(
          ops.add(ops.conv2d(x, kernel, { stride, padding }), ops.reshape(bias, [s.outChannels, 1, 1])),
        );
      const [height, width] = s.image.map(
        (size, i) => Math.floor((size + 2 * padding - s.window[i]!) / stride) + 1,
      );
      const result = [s.batch, s.outChannels, height!, width!];
      const images = normal([s.batch, s.channels, ...s.image], seed);
      const kernels = normal([s.outChannels, s.channels, ...s.window], seed + 1);
      const biases = normal([s.outChannels], seed + 2);
      await expectSameGradient(
        ({ x, k, b }) => layer(x!, k!, b!),
        { x: images, k: kernels, b: biases },
        result,
      );
      await expectSameGradient(
        ({ x, i, b }) => layer(i!, x!, b!),
        { x: kernels, i: images, b: biases },
        result,
      );
      await expectSameGradient(
        ({ x, i, k }) => layer(i!, k!, x!),
        { x: biases, i: images, k: kernels },
        result,
      );
    }),
    { numRuns: 25 },
  );
});

test("a weight gradient of many rows takes one product for each kernel position", () =>
  expectSameGradient(
    ({ x, i }) => ops.conv2d(i!, x!, { padding: 1 }),
    { x: normal([2, 9, 3, 3]), i: normal([2, 9, 6, 6], 1) },
    [2, 2, 6, 6],
  ));

test.each([
  [0, 0],
  [0, undefined],
  [undefined, 0],
] as const)("mapped over images and kernels: axes %s, %s", async (imageAxis, kernelAxis) => {
  const mapped = (x: Tensor, kernel: Tensor): Tensor => {
    const one = (a: JaxArray, b: JaxArray): JaxArray => lax.conv(a, b, [1, 1], "VALID");
    const axes = [imageAxis ?? null, kernelAxis ?? null];
    return keep(
      (vmap as unknown as (f: typeof one, axes: unknown) => typeof one)(one, axes)(lend(x), lend(kernel)),
    );
  };
  const front = (axis: number | undefined): number[] => (axis === undefined ? [] : [3]);
  await expectSame(({ x, k }) => mapped(x, k), {
    x: normal([...front(imageAxis), 2, 2, 5, 4]),
    k: normal([...front(kernelAxis), 3, 2, 2, 2], 1),
  });
});

test("an image larger than the work of a kernel keeps Conv for the forward pass", async () => {
  const { lower } = await import("../program.ts");
  const program = lower(({ x, k }: { x: Tensor; k: Tensor }) => ops.conv2d(x, k), {
    x: normal([1, 1, 8, 8]),
    k: normal([1, 1, 3, 3]),
  });
  expect(new TextDecoder().decode(program.bytes)).toContain("Conv");
  expect(program.flops).toBe(2 * 36 * 9);
});
