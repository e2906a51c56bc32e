// EXO Gym's third study: what DiLoCo loses by being spread over K nodes. All runs see as many tokens and do as many
// floating-point operations: a step's batch is divided among the nodes, so with more of them each gets fewer examples.
//
//   npx atoll compare examples/diloco-scaling.ts nodes=1,2,4,8 --repeat 3 --name diloco-scaling
//   npx atoll compare examples/diloco-scaling.ts nodes=1 strategy=ddp --repeat 3 --name diloco-scaling-ddp
//
// What came out is in docs/examples.md.

import { defineExperiment, gpt } from "@atoll/train";
import { loadText, loadTinyShakespeare } from "@atoll/train/node";
import { z } from "zod";

const BLOCK_SIZE = 64;

export default defineExperiment({
  name: "diloco-scaling",
  summary: "DiLoCo on K nodes, all with the same number of floating-point operations",
  options: z.strictObject({
    data: z.strictObject({ file: z.string().optional().describe("a UTF-8 text") }).prefault({}),
  }),
  defaults: {
    strategy: { kind: "diloco", H: 30 },
    globalBatchSize: 32,
    maxSteps: 450,
    valInterval: 30,
    valSize: 256,
    network: { profile: "wan" },
    partition: "shuffled",
    optimizer: {
      kind: "adamw",
      learningRate: 2e-3,
      weightDecay: 0.1,
      decay: "matrices",
      schedule: "cosine",
      warmupSteps: 45,
      clipNorm: 1,
    },
  },

  async create({ data: { file } }, context) {
    const { train, validation } =
      file === undefined
        ? await loadTinyShakespeare(context.data, BLOCK_SIZE)
        : await loadText(file, BLOCK_SIZE);
    const size = { layers: 2, heads: 4, features: 64 };
    return {
      model: gpt({ size, vocabSize: train.vocabulary!.size, blockSize: BLOCK_SIZE }),
      train,
      validation,
    };
  },
});
