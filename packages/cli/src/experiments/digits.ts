// Generated digits: needs no file and no network, so it is what `make demo` trains on.

import { createRandom } from "@atoll/core";
import { defineExperiment, type Experiment, digits as generateDigits } from "@atoll/train";
import { z } from "zod";
import { imageModel, modelOption } from "./images.ts";

const options = z.strictObject({
  model: modelOption,
  trainSize: z.int().min(1).default(12_000).describe("digits to train on"),
  testSize: z.int().min(1).default(2_000).describe("digits to evaluate on"),
});

export const digits: Experiment<typeof options> = defineExperiment({
  name: "digits",
  summary: "generated 28×28 digits; needs no data files",
  options,
  defaults: { maxSteps: 300 },
  async create({ model, trainSize, testSize }, { seed }) {
    const { train, test } = generateDigits({ trainSize, testSize, random: createRandom(seed) });
    return { model: imageModel(model), train, validation: test };
  },
});
