// Every layer against PyTorch (golden/torch_golden.py): values and all gradients, on both backends.

import { readFileSync } from "node:fs";
import { ConfigError, createRandom } from "@atoll/core";
import { describe, expect, test } from "vitest";
import type { Backend } from "../backends/backend.ts";
import { wasm } from "../backends/wasm.ts";
import type { Tensor } from "../borrow.ts";
import { valueAndGradWithAux } from "../gradient.ts";
import type { HostTensor } from "../host.ts";
import { onnx } from "../node/onnx.ts";
import { maxPool2d, multiply, relu, sum } from "../ops.ts";
import "../test/allclose.ts";
import {
  batchNorm,
  causalSelfAttention,
  convolution,
  countCorrect,
  dropout,
  dropout2d,
  embedding,
  gelu,
  initBatchNorm,
  initConvolution,
  initEmbedding,
  initLayerNorm,
  initLinear,
  layerNorm,
  linear,
  softmax,
  softmaxCrossEntropy,
} from "./index.ts";

interface Plain {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

interface Golden {
  readonly inputs: Readonly<Record<string, Plain>>;
  /** Names of the inputs that are int32. */
  readonly integers: readonly string[];
  readonly cotangent: Plain;
  readonly outputs: Readonly<Record<string, Plain>>;
  /** Of sum(output · cotangent). */
  readonly gradients: Readonly<Record<string, Plain>>;
}

const goldens = JSON.parse(readFileSync(new URL("./golden/torch.json", import.meta.url), "utf8")) as Readonly<
  Record<string, Golden>
>;

type Tensors = Readonly<Record<string, Tensor>>;
type Outputs = Tensors & { readonly output: Tensor };

const trainedNorm =
  (training: boolean) =>
  ({ x, weight, bias, runningMean, runningVar }: Tensors): Outputs => {
    const running = { runningMean: runningMean!, runningVar: runningVar! };
    const { output, buffers } = batchNorm({ weight: weight!, bias: bias! }, x!, {
      training,
      buffers: running,
    });
    return { output, ...buffers };
  };

const weights = ({ weight, bias }: Tensors) => ({ weight: weight!, ...(bias && { bias }) });

const layers: Readonly<Record<string, (inputs: Tensors) => Outputs>> = {
  linear: (i) => ({ output: linear(weights(i), i.x!) }),
  convolution: ({ x, weight, bias }) => ({ output: convolution({ weight: weight!, bias: bias! }, x!) }),
  "convolution, padding 1, stride 2": ({ x, weight, bias }) => ({
    output: convolution({ weight: weight!, bias: bias! }, x!, { padding: 1, stride: 2 }),
  }),
  maxPool: ({ x }) => ({ output: maxPool2d(x!, 2) }),
  "batchNorm, training": trainedNorm(true),
  "batchNorm, evaluation": trainedNorm(false),
  layerNorm: (i) => ({ output: layerNorm(weights(i), i.x!) }),
  "layerNorm without bias": (i) => ({ output: layerNorm(weights(i), i.x!) }),
  gelu: ({ x }) => ({ output: gelu(x!) }),
  relu: ({ x }) => ({ output: relu(x!) }),
  softmax: ({ x }) => ({ output: softmax(x!) }),
  embedding: ({ indices, weight }) => ({ output: embedding({ weight: weight! }, indices!) }),
  softmaxCrossEntropy: ({ x, labels }) => ({ output: softmaxCrossEntropy(x!, labels!) }),
  causalSelfAttention: ({ x, qkv, qkvBias, projection, projectionBias, key }) => ({
    output: causalSelfAttention(
      {
        qkv: { weight: qkv!, bias: qkvBias! },
        projection: { weight: projection!, bias: projectionBias! },
      },
      x!,
      { heads: 2, dropoutRate: 0, training: true, keys: [key!, key!] },
    ),
  }),
};

const hostTensor = ({ shape, data }: Plain, integer = false): HostTensor => ({
  shape,
  data: integer ? Int32Array.from(data) : Float32Array.from(data),
});
const hostTensors = (plain: Readonly<Record<string, Plain>>, integers: readonly string[] = []) =>
  Object.fromEntries(
    Object.entries(plain).map(([name, value]) => [name, hostTensor(value, integers.includes(name))]),
  );

const KEY = { shape: [2], data: Uint32Array.of(1, 2) };

describe.each(Object.entries(goldens))("%s", (name, golden) => {
  test.each([wasm, onnx])("as in PyTorch, on $name", async (backend) => {
    const layer = layers[name]!;
    const all = hostTensors(golden.inputs, golden.integers);
    const differentiated = Object.keys(golden.gradients);
    const pick = (chosen: boolean) =>
      Object.fromEntries(Object.entries(all).filter(([input]) => differentiated.includes(input) === chosen));
    const example = {
      floats: pick(true),
      rest: { ...pick(false), key: KEY },
      cotangent: hostTensor(golden.cotangent),
    };
    const f = ({ floats, rest, cotangent }: { floats: Tensors; rest: Tensors; cotangent: Tensor }) => {
      const loss = (inputs: Tensors): [Tensor, Outputs] => {
        const outputs = layer({ ...inputs, ...rest });
        return [sum(multiply(outputs.output, cotangent)), outputs];
      };
      const [, gradients, outputs] = valueAndGradWithAux(loss)(floats);
      return { gradients, outputs };
    };
    await using program = await backend.compile<object, { gradients: object; outputs: object }>(f, example);
    const { gradients, outputs } = await program.run(example);
    expect(outputs).toBeAllclose(hostTensors(golden.outputs), { relative: 1e-5, absolute: 1e-5 });
    expect(gradients).toBeAllclose(hostTensors(golden.gradients), { relative: 1e-5, absolute: 2e-5 });
  });
});

const run = async (
  f: (x: Tensor, key: Tensor) => Tensor,
  x: HostTensor,
  key: HostTensor,
  backend: Backend = onnx,
): Promise<HostTensor> => {
  await using program = await backend.compile<object, HostTensor>(
    (args: { x: Tensor; key: Tensor }) => f(args.x, args.key),
    { x, key },
  );
  return await program.run({ x, key });
};

describe("dropout", () => {
  const ones = (...shape: number[]): HostTensor => ({
    shape,
    data: new Float32Array(shape.reduce((a, b) => a * b)).fill(1),
  });
  const drop =
    (rate: number, training = true) =>
    (x: Tensor, key: Tensor) =>
      dropout(x, { rate, training, key });

  test("drops about the asked part and scales up the rest, so that the mean stays", async () => {
    const { data } = await run(drop(0.3), ones(100, 101), KEY);
    expect(new Set(data)).toEqual(new Set([0, Math.fround(1 / 0.7)]));
    const dropped = data.filter((value) => value === 0).length / data.length;
    // Four standard deviations of a binomial share.
    expect(Math.abs(dropped - 0.3)).toBeLessThan(4 * Math.sqrt((0.3 * 0.7) / data.length));
  });

  test("depends on the key and on nothing else, on any backend", async () => {
    const x = ones(40, 5);
    const [first, again, other] = await Promise.all([
      run(drop(0.5), x, KEY),
      run(drop(0.5), x, KEY, wasm),
      run(drop(0.5), x, { shape: [2], data: Uint32Array.of(1, 3) }),
    ]);
    expect(again).toEqual(first);
    expect(other).not.toEqual(first);
  });

  test("is the identity in evaluation and at rate 0", async () => {
    const x = ones(7, 3);
    expect(await run((t, key) => multiply(drop(0.5, false)(t, key), 1), x, KEY)).toEqual(x);
    expect(await run((t, key) => multiply(drop(0)(t, key), 1), x, KEY)).toEqual(x);
  });

  test("2d drops whole channels", async () => {
    const f = (x: Tensor, key: Tensor) => dropout2d(x, { rate: 0.5, training: true, key });
    const { data } = await run(f, ones(8, 16, 3, 3), KEY);
    const channels = Array.from({ length: 8 * 16 }, (_, i) => new Set(data.subarray(9 * i, 9 * i + 9)));
    expect(channels.every((channel) => channel.size === 1)).toBe(true);
    expect(new Set(data)).toEqual(new Set([0, 2]));
  });

  test("refuses rates outside [0, 1)", async () => {
    await expect(run(drop(1), ones(2), KEY)).rejects.toThrow(ConfigError);
  });
});

test("right answers are counted, the first of equal scores being the answer", async () => {
  const x: HostTensor = { shape: [3, 3], data: Float32Array.of(1, 3, 2, 5, 5, 0, 0, 1, 2) };
  const labels: HostTensor = { shape: [3], data: Int32Array.of(1, 0, 0) };
  for (const backend of [wasm, onnx]) {
    await using program = await backend.compile<object, HostTensor>(
      (args: { x: Tensor; labels: Tensor }) => countCorrect(args.x, args.labels),
      { x, labels },
    );
    expect((await program.run({ x, labels })).data).toEqual(Float32Array.of(2));
  }
});

describe("initial values", () => {
  const spread = ({ data }: HostTensor): { readonly deviation: number; readonly largest: number } => ({
    deviation: Math.sqrt((data as Float32Array).reduce((total, x) => total + x * x, 0) / data.length),
    largest: (data as Float32Array).reduce((most, x) => Math.max(most, Math.abs(x)), 0),
  });

  test.each([
    ["linear", initLinear(createRandom(1), 100, 50), 100],
    ["convolution", initConvolution(createRandom(1), { inputs: 10, outputs: 50, size: 3 }), 90],
  ] as const)("%s: uniform on ±1/√fanIn, as PyTorch", (_, { weight, bias }, fanIn) => {
    const bound = 1 / Math.sqrt(fanIn);
    expect(spread(weight).largest).toBeLessThanOrEqual(bound);
    expect(spread(bias).largest).toBeLessThanOrEqual(bound);
    expect(spread(weight).deviation).toBeCloseTo(bound / Math.sqrt(3), 2);
  });

  test("embedding: standard normal; normalisations: the identity; equal streams give equal values", () => {
    const { weight } = initEmbedding(createRandom(1), { entries: 100, features: 50 });
    expect(spread(weight).deviation).toBeCloseTo(1, 1);
    expect(initLayerNorm(2)).toEqual(initBatchNorm(2).parameters);
    expect([...initBatchNorm(2).buffers.runningVar.data]).toEqual([1, 1]);
    expect(initLinear(createRandom(3), 4, 5)).toEqual(initLinear(createRandom(3), 4, 5));
  });
});
