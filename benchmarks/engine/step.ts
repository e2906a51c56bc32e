// What a training step costs: forward and backward pass of each model as one native program, on one thread, and how long
// it takes from the function to the first run. A big matrix product, measured in turn with the models, tells how fast the
// machine is at that moment; "of peak" is the model's rate relative to it, and does not depend on the machine.

import { createRandom, type Random } from "@atoll/core";
import {
  allocate,
  type HostArray,
  type HostTensor,
  type LoweredProgram,
  layoutOf,
  lower,
  matmul,
  packTraced,
  type Tensor,
  unpack,
  valueAndGradWithAux,
} from "@atoll/tensor";
import { createSession, type Session } from "@atoll/tensor/node";
import { cnn, gpt, type Model, mlp, smallCnn } from "@atoll/train";
import { printTable, type Row } from "../table.ts";

const ROUNDS = 12;
const PRODUCT_SIZE = 1024;

interface Case {
  readonly name: string;
  readonly model: Model;
  readonly batchSize: number;
  /** Steps a round, so that short ones are measured together. */
  readonly steps: number;
}

const cases: readonly Case[] = [
  { name: "mlp", model: mlp(), batchSize: 64, steps: 50 },
  { name: "smallCnn", model: smallCnn(), batchSize: 64, steps: 1 },
  { name: "cnn", model: cnn(), batchSize: 64, steps: 1 },
  { name: "gpt small", model: gpt({ vocabSize: 65, blockSize: 128 }), batchSize: 16, steps: 1 },
  {
    name: "gpt small, dropout 0.2",
    model: gpt({ vocabSize: 65, blockSize: 128, dropout: 0.2 }),
    batchSize: 16,
    steps: 1,
  },
];

interface Prepared {
  readonly name: string;
  readonly program: LoweredProgram;
  readonly lowerMs: number;
  readonly sessionMs: number;
  readonly firstMs: number;
  readonly run: () => Promise<void>;
  readonly steps: number;
  best: number;
}

/** The loss, its gradient as one vector, and the new buffers. */
function gradientProgram({ model, batchSize }: Case): LoweredProgram {
  const { parameters, buffers } = model.init(createRandom(1));
  const [layout, bufferLayout] = [layoutOf(parameters), layoutOf(buffers)];
  const hasBuffers = bufferLayout.size > 0;
  const step = (args: Record<"parameters" | "buffers" | "x" | "y" | "key", Tensor>): unknown => {
    const loss = (vector: Tensor): [Tensor, Tensor[]] => {
      const known = hasBuffers ? unpack(args.buffers, bufferLayout) : {};
      const context = { training: true, buffers: known, key: args.key };
      const result = model.apply(unpack(vector, layout), args.x, context);
      const next = hasBuffers ? [packTraced(result.buffers, bufferLayout)] : [];
      return [model.loss(result.logits, args.y), next];
    };
    return valueAndGradWithAux(loss)(args.parameters);
  };
  const batch = ({ shape, dtype }: Model["example"]["x"]): HostTensor => {
    const full = [batchSize, ...shape];
    return { shape: full, data: allocate({ shape: full, dtype }) };
  };
  const vector = (size: number): HostTensor => ({ shape: [size], data: new Float32Array(size) });
  return lower(step, {
    parameters: vector(layout.size),
    ...(hasBuffers ? { buffers: vector(bufferLayout.size) } : {}),
    x: batch(model.example.x),
    y: batch(model.example.y),
    key: { shape: [2], data: new Uint32Array(2) },
  });
}

/** Small random numbers; integers stay 0, which is a valid label, token and key. */
function fill(random: Random, array: HostArray): HostArray {
  if (array instanceof Float32Array) for (let i = 0; i < array.length; i++) array[i] = 0.05 * random.normal();
  return array;
}

const runner = (session: Session, program: LoweredProgram): (() => Promise<void>) => {
  const random = createRandom(2);
  const arrays = (specs: LoweredProgram["inputs"]): Record<string, HostArray> =>
    Object.fromEntries(specs.map((spec) => [spec.name, fill(random, allocate(spec))]));
  const [inputs, outputs] = [arrays(program.inputs), arrays(program.outputs)];
  return () => session.run(inputs, outputs);
};

async function timed<T>(f: () => T | Promise<T>): Promise<[result: T, ms: number]> {
  const start = performance.now();
  const result = await f();
  return [result, performance.now() - start];
}

async function prepare(name: string, steps: number, build: () => LoweredProgram): Promise<Prepared> {
  const [program, lowerMs] = await timed(build);
  const [session, sessionMs] = await timed(() => createSession(program));
  const run = runner(session, program);
  const [, firstMs] = await timed(run);
  return { name, program, lowerMs, sessionMs, firstMs, run, steps, best: Number.POSITIVE_INFINITY };
}

const square = { shape: [PRODUCT_SIZE, PRODUCT_SIZE], dtype: "float32" } as const;
const product = await prepare("product", 1, () =>
  lower(({ a, b }: Record<"a" | "b", Tensor>) => matmul(a, b), { a: square, b: square }),
);
const models: Prepared[] = [];
for (const each of cases) models.push(await prepare(each.name, each.steps, () => gradientProgram(each)));
for (let round = 0; round < ROUNDS; round++)
  for (const each of [product, ...models]) {
    const [, ms] = await timed(async () => {
      for (let i = 0; i < each.steps; i++) await each.run();
    });
    each.best = Math.min(each.best, ms / each.steps);
  }

const rate = ({ program, best }: Prepared): number => program.flops / best / 1e6; // GFLOP/s
const rows = models.map(
  (each): Row => ({
    model: each.name,
    GFLOP: (each.program.flops / 1e9).toFixed(2),
    "step ms": each.best.toFixed(2),
    "GFLOP/s": rate(each).toFixed(0),
    "of peak": (rate(each) / rate(product)).toFixed(2),
    "trace + lower ms": each.lowerMs.toFixed(0),
    "session ms": each.sessionMs.toFixed(0),
    "first run ms": each.firstMs.toFixed(0),
    "program kB": (each.program.bytes.length / 1e3).toFixed(0),
  }),
);
printTable(`Forward and backward pass, one thread; peak: ${rate(product).toFixed(0)} GFLOP/s`, rows);
