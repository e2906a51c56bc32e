// Written text against an oracle that runs the model on the window alone, without filling it up, on the other backend.

import { ConfigError, createRandom } from "@atoll/core";
import { compile, type HostTensor, mapTree, type Program, type Tensor, type Tree, wasm } from "@atoll/tensor";
import { onnx } from "@atoll/tensor/node";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type GenerateOptions, generate } from "./generate.ts";
import { gpt, mlp } from "./models/index.ts";
import { sampleToken } from "./sampling.ts";

const BLOCK = 6;
const VOCABULARY = 9;
const model = gpt({
  size: { layers: 1, heads: 2, features: 8 },
  vocabSize: VOCABULARY,
  blockSize: BLOCK,
  dropout: 0.5,
});
// Ten times the usual deviation: scores that differ clearly, so that both backends' rounding decides nothing.
const { parameters, buffers } = model.init(createRandom(3));
const larger = ({ shape, data }: HostTensor): HostTensor => ({
  shape,
  data: (data as Float32Array).map((value) => 10 * value),
});
const weights = { parameters: mapTree(parameters, larger), buffers };

/** The model by itself, for windows of each length from 1. */
type Reference = { readonly x: HostTensor; readonly key: HostTensor; readonly parameters: Tree<HostTensor> };
let references: readonly Program<Reference, HostTensor>[];
beforeAll(async () => {
  references = await Promise.all(
    Array.from({ length: BLOCK }, (_, i) =>
      compile<Reference, HostTensor>(
        ({ parameters: p, x, key }: { parameters: Tree<Tensor>; x: Tensor; key: Tensor }) =>
          model.apply(p, x, { training: false, buffers: {}, key }).logits,
        referenceArguments(Array(i + 1).fill(0)) as never,
        { backend: wasm },
      ),
    ),
  );
});
afterAll(async () => {
  for (const program of references) await program[Symbol.asyncDispose]();
});

const referenceArguments = (window: readonly number[]): Reference => ({
  parameters: weights.parameters,
  x: { shape: [1, window.length], data: Int32Array.from(window) },
  key: { shape: [2], data: new Uint32Array(2) },
});

/** Scores for the token after a window. */
async function scoresAfter(window: readonly number[]): Promise<Float32Array> {
  const { data } = await references[window.length - 1]!.run(referenceArguments(window));
  return (data as Float32Array).slice(-VOCABULARY);
}

const options = (given: Partial<GenerateOptions>): GenerateOptions => ({
  model,
  ...weights,
  prompt: [4, 7],
  count: 12,
  temperature: 1,
  random: createRandom(1),
  backend: onnx,
  ...given,
});
const written = (given: Partial<GenerateOptions>): Promise<number[]> =>
  Array.fromAsync(generate(options(given)));

test.each([
  { name: "drawn", temperature: 1 },
  { name: "from the top 3", temperature: 2, topK: 3 },
  { name: "the likeliest", temperature: 0 },
  { name: "after a prompt that fills the window", temperature: 1, prompt: [1, 2, 3, 4, 5, 6] },
])(
  "$name: as the model says of the last tokens alone, beyond its window too",
  async ({ name: _, ...given }) => {
    const tokens = await written(given);
    const text = [...(given.prompt ?? [4, 7])];
    const random = createRandom(1);
    for (const token of tokens) {
      const window = text.slice(-BLOCK);
      expect(token).toBe(sampleToken(await scoresAfter(window), given, random));
      text.push(token);
    }
    expect(tokens).toHaveLength(12);
  },
);

test("a seed gives one text, another seed another", async () => {
  expect(await written({})).toEqual(await written({}));
  expect(await written({ random: createRandom(2) })).not.toEqual(await written({}));
});

test("a prompt that does not fit, and a model of images, are refused; an abort ends it", async () => {
  const images = mlp();
  const { parameters: pixels } = images.init(createRandom(1));
  await expect(written({ model: images, parameters: pixels })).rejects.toThrow(/"mlp" writes no text/);
  await expect(written({ prompt: [] })).rejects.toThrow(ConfigError);
  await expect(written({ prompt: [] })).rejects.toThrow(/1 to 6 tokens .* got 0\. Begin the text/);
  await expect(written({ prompt: Array(7).fill(1) })).rejects.toThrow(/got 7\. Shorten it/);
  await expect(written({ signal: AbortSignal.abort(new Error("stopped")) })).rejects.toThrow("stopped");
});
