// An experiment on images: which model is trained on which data, and the options that choose among them. How it is
// trained (nodes, strategy, network …) are options that every experiment has.
//
//   npx atoll train examples/mnist.ts nodes=4 strategy=fedavg strategy.H=20 network.profile=wan
//   npx atoll train examples/mnist.ts data=digits model=smallCnn strategy=diloco strategy.H=50 nodes=4

import { createRandom } from "@atoll/core";
import { defineExperiment, digits, mlp, smallCnn } from "@atoll/train";
import { loadMnist } from "@atoll/train/node";
import { z } from "zod";

export default defineExperiment({
  name: "my-mnist",
  summary: "handwritten digits, or generated ones",
  options: z.strictObject({
    model: z.enum(["mlp", "smallCnn"]).default("mlp").describe("what is trained"),
    data: z.enum(["mnist", "digits"]).default("mnist").describe("digits are generated and need no files"),
  }),
  defaults: { maxSteps: 300, optimizer: { kind: "adamw", learningRate: 1e-3 } },

  async create({ model, data }, context) {
    const { train, test } =
      data === "mnist"
        ? await loadMnist(context.data) // read from $ATOLL_DATA, downloaded there when absent
        : digits({ trainSize: 12_000, testSize: 2_000, random: createRandom(context.seed) });
    return { model: model === "mlp" ? mlp() : smallCnn(), train, validation: test };
  },
});
