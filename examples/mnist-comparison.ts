// EXO Gym's first study: DDP, DiLoCo and SPARTA train the same network on MNIST, on four nodes. Optimizer, schedule and
// length are those of its script; the network and the batches are smaller, for a machine without a GPU.
//
//   npx atoll compare examples/mnist-comparison.ts strategy=ddp,diloco,sparta strategy.H=20 strategy.p=0.005,0.05 \
//     network.profile=wan --repeat 3 --name mnist-comparison
//
// What came out is in docs/examples.md.

import { createRandom } from "@atoll/core";
import { defineExperiment, digits, mlp, smallCnn } from "@atoll/train";
import { loadMnist } from "@atoll/train/node";
import { z } from "zod";

export default defineExperiment({
  name: "mnist-comparison",
  summary: "strategies on MNIST, as EXO Gym compares them",
  options: z.strictObject({
    model: z.enum(["smallCnn", "mlp"]).default("smallCnn").describe("what is trained"),
    data: z.enum(["mnist", "digits"]).default("mnist").describe("digits are generated and need no files"),
  }),
  defaults: {
    nodes: 4,
    batchSize: 16, // EXO Gym: 256
    maxSteps: 150,
    valInterval: 10,
    valSize: 256, // on the way; the final model is evaluated on all 10,000
    partition: "shuffled",
    optimizer: {
      kind: "adamw",
      learningRate: 3e-4,
      weightDecay: 1e-4,
      schedule: "cosine",
      warmupSteps: 100,
    },
  },

  async create({ model, data }, context) {
    const { train, test } =
      data === "mnist"
        ? await loadMnist(context.data)
        : digits({ trainSize: 12_000, testSize: 2_000, random: createRandom(context.seed) });
    return { model: model === "mlp" ? mlp() : smallCnn(), train, validation: test };
  },
});
