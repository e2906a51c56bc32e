// The models as a whole against the same models in PyTorch: loss and every parameter's gradient, in evaluation mode,
// from parameters and inputs that a formula makes on both sides (golden/torch_golden.py).

import { readFileSync } from "node:fs";
import { createRandom } from "@atoll/core";
import { flattenTree, type HostTensor, mapTree, type Tensor, type Tree, valueAndGrad } from "@atoll/tensor";
import { compile } from "@atoll/tensor/node";
import { expect, test } from "vitest";
import { cnn, gpt, mlp, smallCnn } from "./index.ts";

interface Golden {
  readonly loss: number;
  /** By path: the gradient's norm, and its product with `wave(shape, 0.25)`. */
  readonly gradients: Readonly<Record<string, readonly [norm: number, product: number]>>;
}

const goldens = JSON.parse(readFileSync(new URL("./golden/torch.json", import.meta.url), "utf8")) as Readonly<
  Record<string, Golden>
>;

const elements = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

function wave(shape: readonly number[], seed: number, scale = 1): HostTensor {
  const data = new Float32Array(elements(shape));
  for (let i = 0; i < data.length; i++) data[i] = scale * Math.sin(12.9898 * (i + 1) + seed);
  return { shape, data };
}

/** Of the order of 1 / √fanIn, so that values stay of the order of 1. */
const scaleOf = (shape: readonly number[]): number =>
  2 / Math.sqrt(shape.length < 4 ? elements(shape.slice(0, -1)) : 9 * shape[1]!);

const images = {
  x: wave([2, 1, 28, 28], 0.5),
  y: { shape: [2], data: Int32Array.of(3, 8) },
};
const text = {
  x: { shape: [2, 5], data: Int32Array.of(0, 3, 6, 2, 1, 5, 5, 4, 0, 2) },
  y: { shape: [2, 5], data: Int32Array.of(3, 6, 2, 1, 4, 5, 4, 0, 2, 6) },
};

test.each([
  { model: mlp(), batch: images },
  { model: smallCnn(), batch: images },
  { model: cnn(), batch: images },
  {
    model: gpt({ size: { layers: 2, heads: 2, features: 8 }, vocabSize: 7, blockSize: 5 }),
    batch: text,
  },
])("$model.name", async ({ model, batch }) => {
  const golden = goldens[model.name]!;
  const initial = model.init(createRandom(0));
  let index = 0;
  const parameters = mapTree<HostTensor, HostTensor>(initial.parameters, ({ shape }) =>
    wave(shape, index++, scaleOf(shape)),
  );
  const key = { shape: [2], data: new Uint32Array(2) };
  const example = { parameters, buffers: initial.buffers, key, ...batch };
  type Arguments = Record<"parameters" | "buffers", Tree<Tensor>> & Record<"key" | "x" | "y", Tensor>;
  await using program = await compile<typeof example, { loss: HostTensor; gradients: Tree<HostTensor> }>(
    ({ parameters: p, buffers = {}, key: k, x, y }: Arguments) => {
      const context = { training: false, buffers, key: k };
      const lossOf = (q: Tree<Tensor>): Tensor => model.loss(model.apply(q, x, context).logits, y);
      const [loss, gradients] = valueAndGrad(lossOf)(p);
      return { loss, gradients };
    },
    example as never,
  );
  const { loss, gradients } = await program.run(example);
  expect(loss.data[0]).toBeCloseTo(golden.loss, 4);
  const entries = flattenTree(gradients);
  expect(entries.map(({ path }) => path)).toEqual(Object.keys(golden.gradients));
  for (const { path, leaf } of entries) {
    const [norm, product] = golden.gradients[path]!;
    const probe = wave(leaf.shape, 0.25).data;
    let [squares, sum, length] = [0, 0, 0];
    for (const [i, g] of leaf.data.entries()) {
      squares += g * g;
      sum += g * probe[i]!;
      length += probe[i]! ** 2;
    }
    // A part whose gradient is zero (a key's bias does not change a softmax) leaves rounding behind.
    expect(Math.abs(Math.sqrt(squares) - norm), path).toBeLessThan(1e-3 * norm + 1e-6);
    expect(Math.abs(sum - product), path).toBeLessThan(1e-3 * norm * Math.sqrt(length) + 1e-6);
  }
});
