// MNIST: read from the data directory, downloaded there when absent; or generated digits in its place.

import { defineExperiment, type Experiment } from "@atoll/train";
import { loadMnist } from "@atoll/train/node";
import { z } from "zod";
import { digits } from "./digits.ts";
import { imageModel, modelOption } from "./images.ts";

const options = z.strictObject({
  model: modelOption,
  data: z
    .enum(["mnist", "digits"])
    .default("mnist")
    .describe("mnist, or generated digits, which need no files"),
});

export const mnist: Experiment<typeof options> = defineExperiment({
  name: "mnist",
  summary: "MNIST handwritten digits",
  options,
  defaults: { maxSteps: 300 },
  async create({ model, data }, context) {
    if (data === "digits") return digits.create(digits.options.parse({ model }), context);
    const { train, test } = await loadMnist(context.data);
    return { model: imageModel(model), train, validation: test };
  },
});
