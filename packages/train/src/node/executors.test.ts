// Both executors do the same arithmetic: native kernels on worker threads, and jax-js in this thread as the reference.
// The ways in which the worker threads can apply an optimizer agree with each other.

import { createRandom } from "@atoll/core";
import { adamW, chain, clipByGlobalNorm, layoutOf, type Optimizer, pack, proximal, sgd } from "@atoll/tensor";
import { allocateBeside, memoryOf } from "@atoll/tensor/vectors";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Dataset, digits, windowsDataset } from "../data/index.ts";
import type { Executor, ExecutorFactory, ExecutorOptions } from "../executor.ts";
import { inProcessExecutor } from "../inProcessExecutor.ts";
import { gpt, type Model, mlp } from "../models/index.ts";
import type { Replica } from "../replica.ts";
import { clouds, perceptron } from "../test/runs.ts";
import { startWorkers, type Workers, workerThreads } from "./workerThreads.ts";

let workers: Workers;
beforeAll(() => {
  workers = startWorkers(2);
});
afterAll(() => workers[Symbol.asyncDispose]());

interface Setting {
  readonly model: Model;
  readonly data: Dataset;
  readonly optimizer: Optimizer;
  readonly batchSize?: number;
  readonly minibatchSize?: number;
  readonly localSteps?: boolean;
}

const STEPS = 4;
const EVALUATED = 130; // a whole batch of an evaluation and a part of one

function optionsOf(setting: Setting): ExecutorOptions {
  const { model, data, optimizer, batchSize = 8, minibatchSize = batchSize, localSteps = true } = setting;
  const { parameters, buffers } = model.init(createRandom(1));
  return {
    model,
    optimizer,
    layout: layoutOf(parameters),
    bufferLayout: layoutOf(buffers),
    batchSize,
    minibatchSize,
    sources: [data.source],
    evaluation: { source: data.source, counts: [EVALUATED] },
    localSteps,
  };
}

/** What an executor makes of the same inputs: one gradient, some local steps, an evaluation before and after them. */
async function outcome(createExecutor: ExecutorFactory, setting: Setting) {
  const options = optionsOf(setting);
  await using executor = await createExecutor(options);
  const replica = newReplica(executor, options);
  const random = createRandom(2);
  const draw = (length: number, bound: number): Uint32Array =>
    Uint32Array.from({ length }, () => random.integer(bound));
  const batch = (steps: number) => ({
    source: 0,
    indices: draw(steps * options.batchSize, setting.data.size),
    keys: draw(2 * steps, 2 ** 32),
  });
  const evaluated = draw(EVALUATED, setting.data.size);
  const before = await executor.evaluate(replica, evaluated);
  const loss = await executor.gradient(replica, batch(1));
  const gradients = replica.gradients.slice();
  const losses = await executor.localSteps(replica, batch(STEPS), 0);
  const after = await executor.evaluate(replica, evaluated);
  const { parameters, buffers, slots } = replica;
  return {
    flops: executor.flopsPerStep,
    vectors: {
      gradients,
      parameters: parameters.slice(),
      buffers: buffers.slice(),
      losses: [loss, ...losses],
      evaluations: [before.loss, after.loss, before.accuracy ?? 0, after.accuracy ?? 0],
      ...Object.fromEntries(Object.entries(slots).map(([name, slot]) => [name, slot.slice()])),
    },
  };
}

function newReplica(executor: Executor, { model, layout, bufferLayout }: ExecutorOptions): Replica {
  const replica = executor.allocate();
  const { parameters, buffers } = model.init(createRandom(1));
  pack(parameters, layout, replica.parameters);
  pack(buffers, bufferLayout, replica.buffers);
  replica.slots["proximal/anchor"]?.set(replica.parameters.map((x) => x / 2));
  return replica;
}

type Outcome = Awaited<ReturnType<typeof outcome>>;

/** The largest difference between two vectors, relative to the largest element. */
function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let scale = 0;
  let worst = 0;
  for (let i = 0; i < a.length; i++) {
    scale = Math.max(scale, Math.abs(a[i]!));
    worst = Math.max(worst, Math.abs(a[i]! - b[i]!));
  }
  return worst === 0 ? 0 : worst / scale;
}

function expectNear(got: Outcome, expected: Outcome, tolerance: number): void {
  expect(Object.keys(got.vectors)).toEqual(Object.keys(expected.vectors));
  for (const [name, vector] of Object.entries(expected.vectors))
    expect(distance(vector, got.vectors[name as keyof Outcome["vectors"]]), name).toBeLessThan(tolerance);
}

const random = createRandom(3);
const text = windowsDataset({
  name: "tokens",
  tokens: Uint16Array.from({ length: 200 }, () => random.integer(11)),
  blockSize: 8,
});
const tinyGpt = (dropout: number): Model =>
  gpt({ size: { layers: 2, heads: 2, features: 16 }, vocabSize: 11, blockSize: 8, dropout });
const images = digits({ trainSize: 150, testSize: 1, random: createRandom(4) }).train;

describe("worker threads and the executor in this thread agree", () => {
  test.each([
    { name: "mlp", model: mlp(), data: images },
    { name: "mlp, accumulating", model: mlp(), data: images, minibatchSize: 2 },
    { name: "gpt", model: tinyGpt(0), data: text },
    { name: "gpt with dropout", model: tinyGpt(0.2), data: text },
    { name: "batch norm and dropout", model: perceptron({ rate: 0.3, normed: true }), data: clouds(200) },
  ])("$name", async (setting) => {
    const optimizer = sgd({ learningRate: 0.05, momentum: 0.9 });
    const native = await outcome(workerThreads(workers), { ...setting, optimizer });
    const reference = await outcome(inProcessExecutor(), { ...setting, optimizer });
    expectNear(native, reference, 1e-5);
    expect(native.flops).toBe(reference.flops);
  });
});

test.each([
  { name: "momentum", optimizer: sgd({ learningRate: 0.1, momentum: 0.9 }) },
  {
    name: "momentum, clipped, with a proximal term",
    optimizer: chain(proximal(0.3), clipByGlobalNorm(1), sgd({ learningRate: 0.1, momentum: 0.9 })),
  },
])(
  "operations beforehand, and gradients of another vector, come to the same as by hand: $name",
  async ({ optimizer }) => {
    const setting = { model: perceptron({ rate: 0 }), data: clouds(200), optimizer };
    const options = optionsOf(setting);
    const outcomes = [];
    for (const createExecutor of [workerThreads(workers), inProcessExecutor()]) {
      await using executor = await createExecutor(options);
      const [together, byHand] = [newReplica(executor, options), newReplica(executor, options)];
      const plain = Float32Array.from(together.gradients, (_, i) => Math.sin(i));
      const given = plain.slice();
      const shared = allocateBeside(together.parameters, plain.length);
      const numbers = { decay: 1, factor: 0.5 };
      const halved = {
        operation: "decayAndAdd",
        vectors: { a: together.parameters, b: shared },
        numbers,
      } as const;
      shared.set(plain);
      await executor.update(together, 0, { beforehand: [halved], gradients: shared });
      await executor.update(together, 1, { gradients: plain });
      expect(shared, "nodes may share it").toEqual(plain);
      expect(plain).toEqual(given);
      const batch = { source: 0, indices: new Uint32Array(8), keys: new Uint32Array(2) };
      await executor.localSteps(together, batch, 2, { beforehand: [halved] });
      for (const step of [0, 1, 2]) {
        if (step !== 1) for (let i = 0; i < plain.length; i++) byHand.parameters[i]! += 0.5 * plain[i]!;
        byHand.gradients.set(plain);
        if (step < 2) await executor.update(byHand, step);
        else await executor.localSteps(byHand, batch, step);
      }
      expect(together.parameters).toEqual(byHand.parameters);
      expect(together.slots).toEqual(byHand.slots);
      outcomes.push(together.parameters.slice());
    }
    expect(distance(outcomes[0]!, outcomes[1]!)).toBeLessThan(1e-5);
  },
);

test("gradients that lie in another memory than the node, since that one is full, are applied too", async () => {
  const optimizer = sgd({ learningRate: 1, momentum: 0.5 });
  const options = optionsOf({ model: perceptron({ rate: 0 }), data: clouds(200), optimizer });
  await using executor = await workerThreads(workers)(options);
  const replica = newReplica(executor, options);
  const { length } = replica.parameters;
  // Address space that nobody writes to: all of the first memory's 4 GiB but too little for what comes next.
  allocateBeside(replica.parameters, 2 ** 30 - 2 ** 15);
  const elsewhere = allocateBeside(replica.parameters, 2 ** 16)
    .subarray(0, length)
    .fill(1);
  expect(memoryOf(elsewhere)).not.toBe(memoryOf(replica.parameters));
  const before = replica.parameters.slice();
  await executor.update(replica, 0, { gradients: elsewhere });
  expect(replica.parameters).toEqual(before.map((value) => value - 1));
});

test("a memory that is opened while a run goes on leaves what lies in the first where it is", async () => {
  const optimizer = sgd({ learningRate: 1, momentum: 0.5 });
  const options = optionsOf({ model: perceptron({ rate: 0 }), data: clouds(200), optimizer });
  await using executor = await workerThreads(workers)(options);
  const replica = newReplica(executor, options);
  const before = replica.parameters.slice();
  const indices = new Uint32Array(options.batchSize);
  await executor.gradient(replica, { source: 0, indices, keys: new Uint32Array(2) });
  // Address space that nobody writes to: the first fills up the memory that there is, and opens a second if it does not fit.
  const further = [0, 1, 2].map(() => allocateBeside(replica.parameters, 2 ** 30 - 2 ** 15).subarray(0, 8));
  expect(new Set([replica.parameters, ...further].map(memoryOf)).size).toBeGreaterThanOrEqual(3);
  replica.gradients.fill(1);
  await executor.update(replica, 0);
  expect(replica.parameters).toEqual(before.map((value) => value - 1));
  for (const to of further) {
    const from = replica.gradients.subarray(0, 8);
    await executor.run({ operation: "copy", vectors: { to, from }, numbers: {} });
    expect([...to]).toEqual(new Array(8).fill(1));
  }
});

describe("the ways to apply an optimizer agree", () => {
  test.each([
    { name: "sgd", optimizer: sgd({ learningRate: 0.1 }) },
    {
      name: "momentum and weight decay",
      optimizer: sgd({ learningRate: 0.1, momentum: 0.9, weightDecay: 0.01 }),
    },
    { name: "nesterov", optimizer: sgd({ learningRate: 0.1, momentum: 0.9, nesterov: true }) },
    { name: "adamW", optimizer: adamW({ learningRate: 1e-2 }) },
    {
      name: "clipped adamW on matrices",
      optimizer: chain(
        clipByGlobalNorm(0.1),
        adamW({ learningRate: 1e-2, decay: "matrices", weightDecay: 0.1 }),
      ),
    },
    {
      name: "sgd with a proximal term",
      optimizer: chain(proximal(0.5), sgd({ learningRate: 0.1 })),
    },
    {
      name: "clipped adamW with a proximal term",
      optimizer: chain(proximal(0.5), clipByGlobalNorm(0.1), adamW({ learningRate: 1e-2 })),
    },
  ])("$name: fused, as a program, in a loop", async ({ optimizer }) => {
    const by = (update: "fused" | "program" | "loop"): Promise<Outcome> =>
      outcome(workerThreads(workers, { update }), {
        // No batch normalisation: a bias before it has no gradient but rounding, of which Adam makes whole steps.
        model: perceptron({ rate: 0.3 }),
        data: clouds(200),
        batchSize: 16,
        optimizer,
      });
    const fused = await by("fused");
    expectNear(await by("program"), fused, 1e-5);
    const looped = await by("loop");
    // A loop keeps its gradients inside.
    const { gradients } = looped.vectors;
    expectNear(looped, { ...fused, vectors: { ...fused.vectors, gradients } }, 1e-5);
  });
});
