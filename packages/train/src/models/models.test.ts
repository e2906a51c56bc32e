// What holds for every model: sizes, the loss of a model that knows nothing, gradients against finite differences, and
// that randomness and buffers matter in training only. Layers are tested in @atoll/tensor, against PyTorch.

import { ConfigError, createRandom } from "@atoll/core";
import {
  type HostTensor,
  layoutOf,
  pack,
  packTraced,
  type Tensor,
  unpack,
  valueAndGradWithAux,
} from "@atoll/tensor";
import { compile } from "@atoll/tensor/node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cnn, gpt, gptSizes, type Model, mlp, smallCnn } from "./index.ts";

interface Row {
  readonly model: Model;
  readonly parameters: number;
  /** Classes or tokens, all equally likely to a model that knows nothing. */
  readonly classes: number;
  readonly batch: number;
}

const tinyGpt = { size: { layers: 2, heads: 2, features: 16 }, vocabSize: 11, blockSize: 12 } as const;

/** nanoGPT's count: token and position embeddings, blocks of 12 C² + 13 C, and the last normalisation. */
const gptParameters = (layers: number, features: number, vocabSize: number, blockSize: number): number =>
  (vocabSize + blockSize) * features + layers * (12 * features ** 2 + 13 * features) + 2 * features;

const rows: readonly (Row & { readonly name: string })[] = [
  { name: "mlp", model: mlp(), parameters: 203_530, classes: 10, batch: 16 },
  { name: "smallCnn", model: smallCnn(), parameters: 1_199_882, classes: 10, batch: 4 },
  { name: "cnn", model: cnn(), parameters: 1_868_234, classes: 10, batch: 4 },
  {
    name: "gpt",
    model: gpt(tinyGpt),
    parameters: gptParameters(2, 16, 11, 12),
    classes: 11,
    batch: 3,
  },
  {
    name: "gpt with dropout, without bias",
    model: gpt({ ...tinyGpt, dropout: 0.2, bias: false }),
    parameters: gptParameters(2, 16, 11, 12) - 2 * 11 * 16 - 16,
    classes: 11,
    batch: 3,
  },
];

const elements = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
const vector = (data: Float32Array): HostTensor => ({ shape: [data.length], data });
const keyOf = (n: number): HostTensor => ({ shape: [2], data: Uint32Array.of(7, n) });

function exampleBatch({ model, classes, batch }: Row): { readonly x: HostTensor; readonly y: HostTensor } {
  const random = createRandom(5);
  const draw = ({ shape, dtype }: Model["example"]["x"]): HostTensor => {
    const full = [batch, ...shape];
    const data =
      dtype === "int32"
        ? Int32Array.from({ length: elements(full) }, () => random.integer(classes))
        : Float32Array.from({ length: elements(full) }, () => random.normal());
    return { shape: full, data };
  };
  return { x: draw(model.example.x), y: draw(model.example.y) };
}

interface Arguments<T> {
  readonly parameters: T;
  readonly buffers?: T;
  readonly x: T;
  readonly y: T;
  readonly key: T;
}

interface Results {
  readonly loss: HostTensor;
  readonly logits: HostTensor;
  readonly gradients: HostTensor;
  readonly buffers?: HostTensor;
  readonly correct?: HostTensor;
}

/** The model as one program over flat vectors: everything that a step or an evaluation may want to know. */
async function compiled(row: Row, training: boolean) {
  const { model } = row;
  const { parameters, buffers } = model.init(createRandom(1));
  const layout = layoutOf(parameters);
  const bufferLayout = layoutOf(buffers);
  const example: Arguments<HostTensor> = {
    parameters: vector(pack(parameters, layout)),
    ...(bufferLayout.size > 0 ? { buffers: vector(pack(buffers, bufferLayout)) } : {}),
    ...exampleBatch(row),
    key: keyOf(0),
  };
  const f = (args: Arguments<Tensor>) => {
    const loss = (p: Tensor): [Tensor, Record<string, Tensor>] => {
      const before = args.buffers === undefined ? {} : unpack(args.buffers, bufferLayout);
      const result = model.apply(unpack(p, layout), args.x, { training, buffers: before, key: args.key });
      const { logits } = result;
      const after = args.buffers === undefined ? {} : { buffers: packTraced(result.buffers, bufferLayout) };
      const correct = model.correct === undefined ? {} : { correct: model.correct(logits, args.y) };
      return [model.loss(logits, args.y), { logits, ...after, ...correct }];
    };
    const [value, gradients, aux] = valueAndGradWithAux(loss)(args.parameters);
    return { loss: value, gradients, ...aux };
  };
  return { layout, example, program: await compile<Arguments<HostTensor>, Results>(f, example as never) };
}

describe.each(rows)("$name", (row) => {
  let training: Awaited<ReturnType<typeof compiled>>;
  let evaluation: Awaited<ReturnType<typeof compiled>>;

  beforeAll(async () => {
    training = await compiled(row, true);
    evaluation = await compiled(row, false);
  });
  afterAll(async () => {
    await training.program[Symbol.asyncDispose]();
    await evaluation.program[Symbol.asyncDispose]();
  });

  test("has the stated number of parameters, the same ones for the same seed", () => {
    expect(training.layout.size).toBe(row.parameters);
    const again = row.model.init(createRandom(1));
    expect(vector(pack(again.parameters, training.layout))).toEqual(training.example.parameters);
    const other = row.model.init(createRandom(2));
    expect(vector(pack(other.parameters, training.layout))).not.toEqual(training.example.parameters);
  });

  test("knows nothing at first: loss near ln(classes), one score a class", async () => {
    const { loss, logits, correct } = await evaluation.program.run(evaluation.example);
    expect(Math.abs(loss.data[0]! - Math.log(row.classes))).toBeLessThan(0.5);
    expect(logits.shape).toEqual([row.batch, ...row.model.example.y.shape, row.classes]);
    if (row.model.correct !== undefined) {
      expect(correct!.data[0]).toBeGreaterThanOrEqual(0);
      expect(correct!.data[0]).toBeLessThanOrEqual(row.batch);
    }
  });

  test("gradients are the slope of the loss", async () => {
    const { example, program } = evaluation;
    const { gradients } = await program.run(example);
    const slope = gradients.data as Float32Array;
    const norm = Math.hypot(...chunkNorms(slope));
    // Along the gradient the loss rises by the gradient's norm; the step is small against the loss's curvature, and
    // large against float32's rounding of the loss.
    const distance = 1e-3 / norm;
    const at = async (sign: number): Promise<number> => {
      const moved = (example.parameters.data as Float32Array).map(
        (p, i) => p + (sign * distance * slope[i]!) / norm,
      );
      return (await program.run({ ...example, parameters: vector(moved) })).loss.data[0]!;
    };
    const measured = ((await at(1)) - (await at(-1))) / (2 * distance);
    expect(measured / norm).toBeCloseTo(1, 2);
  });

  test("training moves buffers, evaluation does not", async () => {
    const { buffers } = training.example;
    if (buffers === undefined) return;
    expect((await evaluation.program.run(evaluation.example)).buffers).toEqual(buffers);
    const { buffers: after } = await training.program.run(training.example);
    expect(after).not.toEqual(buffers);
    expect(after!.data.every(Number.isFinite)).toBe(true);
  });

  test("dropout follows the key in training, and is off in evaluation", async () => {
    const { config } = row.model;
    const random = row.name === "cnn" || (typeof config.dropout === "number" && config.dropout > 0);
    const logitsOf = async ({ program, example }: typeof training, key: number) =>
      (await program.run({ ...example, key: keyOf(key) })).logits;
    const first = await logitsOf(training, 1);
    expect(await logitsOf(training, 1)).toEqual(first);
    if (random) expect(await logitsOf(training, 2)).not.toEqual(first);
    else expect(await logitsOf(training, 2)).toEqual(first);
    expect(await logitsOf(evaluation, 2)).toEqual(await logitsOf(evaluation, 1));
  });
});

/** Norms of parts, so that Math.hypot does not get a million arguments. */
function chunkNorms(values: Float32Array): number[] {
  const norms: number[] = [];
  for (let start = 0; start < values.length; start += 1000)
    norms.push(Math.hypot(...values.subarray(start, start + 1000)));
  return norms;
}

test("a GPT's prediction does not depend on what comes later", async () => {
  const row: Row = { model: gpt(tinyGpt), parameters: 0, classes: 11, batch: 1 };
  const { program, example } = await compiled(row, false);
  await using _ = program;
  const changed = example.x.data.slice() as Int32Array;
  changed[7] = (changed[7]! + 1) % 11;
  const before = (await program.run(example)).logits.data;
  const after = (await program.run({ ...example, x: { ...example.x, data: changed } })).logits.data;
  expect(after.subarray(0, 7 * 11)).toEqual(before.subarray(0, 7 * 11));
  expect(after.subarray(7 * 11)).not.toEqual(before.subarray(7 * 11));
});

test("a GPT takes sequences shorter than its block", async () => {
  const model = gpt(tinyGpt);
  const { parameters } = model.init(createRandom(1));
  const x = { shape: [2, 5], data: new Int32Array(10) };
  const example = { parameters, x, key: keyOf(0) };
  await using program = await compile<typeof example, HostTensor>(
    (args: { parameters: Parameters<Model["apply"]>[0]; x: Tensor; key: Tensor }) =>
      model.apply(args.parameters, args.x, { training: false, buffers: {}, key: args.key }).logits,
    example as never,
  );
  expect((await program.run(example)).shape).toEqual([2, 5, 11]);
});

test("GPT-2's size is known", () => {
  const { layers, features } = gptSizes.base;
  expect(gptParameters(layers, features, 50257, 1024)).toBe(124_439_808);
});

test("impossible GPTs are refused", () => {
  const data = { vocabSize: 10, blockSize: 8 };
  expect(() => gpt({ ...data, size: "smal" as "small" })).toThrow(/small/);
  expect(() => gpt({ ...data, vocabSize: 0 })).toThrow(ConfigError);
  expect(() => gpt({ ...data, size: { layers: 1, heads: 3, features: 16 } })).toThrow(ConfigError);
  expect(() => gpt({ ...data, dropout: 1 })).toThrow(ConfigError);
});
