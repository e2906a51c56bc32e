// Where the optimizer of local steps is best applied: by a fused SIMD kernel on the parameters, as a program of its own,
// or inside a loop over whole steps. One worker thread, runs of 20 steps, minimum over rounds that alternate the modes.

import { createRandom } from "@atoll/core";
import { adamW, chain, layoutOf, type Optimizer, pack, proximal, sgd } from "@atoll/tensor";
import { gpt, type Model, mlp, smallCnn, tableDataset, windowsDataset } from "@atoll/train";
import { startWorkers, workerThreads } from "@atoll/train/node";
import { printTable, type Row } from "./table.ts";

const STEPS = 20;
const modes = ["fused", "program", "loop"] as const;

interface Case {
  readonly name: string;
  readonly model: Model;
  readonly optimizer: Optimizer;
  readonly batchSize: number;
  readonly rounds: number;
}

const tokens = Uint16Array.from({ length: 20_000 }, (_, i) => (i * 7) % 65);
const text = windowsDataset({ name: "text", tokens, blockSize: 128 });
const images = tableDataset({
  name: "images",
  x: Uint8Array.from({ length: 512 * 784 }, (_, i) => (i * 31) % 256),
  xShape: [1, 28, 28],
  y: Int32Array.from({ length: 512 }, (_, i) => i % 10),
  scale: 1 / 255,
});

const cases: readonly Case[] = [
  { name: "mlp, AdamW", model: mlp(), optimizer: adamW(), batchSize: 64, rounds: 8 },
  { name: "mlp, SGD", model: mlp(), optimizer: sgd({ learningRate: 0.1 }), batchSize: 64, rounds: 8 },
  {
    name: "mlp, proximal SGD",
    model: mlp(),
    optimizer: chain(proximal(0.01), sgd({ learningRate: 0.1 })),
    batchSize: 64,
    rounds: 8,
  },
  { name: "smallCnn, AdamW", model: smallCnn(), optimizer: adamW(), batchSize: 64, rounds: 2 },
  {
    name: "gpt small, AdamW",
    model: gpt({ vocabSize: 65, blockSize: 128 }),
    optimizer: adamW(),
    batchSize: 16,
    rounds: 2,
  },
];

/** Milliseconds a step, for each mode. */
async function measure({ model, optimizer, batchSize, rounds }: Case): Promise<readonly number[]> {
  const { source } = model.name === "gpt" ? text : images;
  const { parameters, buffers } = model.init(createRandom(1));
  const layout = layoutOf(parameters);
  const runs = await Promise.all(
    modes.map(async (update) => {
      const workers = startWorkers(1);
      const executor = await workerThreads(workers, { update })({
        model,
        optimizer,
        layout,
        bufferLayout: layoutOf(buffers),
        batchSize,
        minibatchSize: batchSize,
        sources: [source],
        evaluation: undefined,
        localSteps: true,
      });
      const replica = executor.allocate();
      pack(parameters, layout, replica.parameters);
      return { workers, executor, replica };
    }),
  );
  const batch = {
    source: 0,
    indices: Uint32Array.from({ length: STEPS * batchSize }, (_, i) => i % 500),
    keys: new Uint32Array(2 * STEPS),
  };
  const best = modes.map(() => Number.POSITIVE_INFINITY);
  for (let round = 0; round <= rounds; round++)
    for (const [i, { executor, replica }] of runs.entries()) {
      const start = performance.now();
      await executor.localSteps(replica, batch, round * STEPS);
      const perStep = (performance.now() - start) / STEPS;
      if (round > 0) best[i] = Math.min(best[i]!, perStep);
    }
  for (const { workers } of runs) await workers[Symbol.asyncDispose]();
  return best;
}

const rows: Row[] = [];
for (const each of cases) {
  const times = await measure(each);
  rows.push({
    model: each.name,
    ...Object.fromEntries(modes.map((mode, i) => [`${mode} ms`, times[i]!.toFixed(2)])),
    "loop / fused": (times[2]! / times[0]!).toFixed(2),
  });
}
printTable("One local step by where the optimizer runs", rows);
