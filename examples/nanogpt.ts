// An experiment on text: a small GPT learns to continue Shakespeare, or any other text, character by character.
// Its learning rate warms up and falls along a cosine, and gradients are clipped, as in nanoGPT.
//
//   npx atoll train examples/nanogpt.ts nodes=4 strategy=diloco strategy.H=50 network.profile=cross-continental
//   npx atoll train examples/nanogpt.ts data.file=my-book.txt model.size=small blockSize=256 nodes=2

import { defineExperiment, gpt } from "@atoll/train";
import { loadText, loadTinyShakespeare } from "@atoll/train/node";
import { z } from "zod";

export default defineExperiment({
  name: "my-nanogpt",
  summary: "a GPT on text by characters",
  options: z.strictObject({
    data: z.strictObject({ file: z.string().optional().describe("a UTF-8 text") }).prefault({}),
    model: z.strictObject({ size: z.enum(["small", "base"]).default("small") }).prefault({}),
    blockSize: z.int().min(1).default(128).describe("characters of one example"),
  }),
  defaults: {
    maxSteps: 200,
    batchSize: 16,
    optimizer: {
      kind: "adamw",
      learningRate: 1e-3,
      b2: 0.99,
      weightDecay: 0.1,
      decay: "matrices",
      schedule: "cosine",
      warmupSteps: 20,
      finalLearningRate: 1e-4,
      clipNorm: 1,
    },
  },

  async create({ data, model, blockSize }, context) {
    const { train, validation } =
      data.file === undefined
        ? await loadTinyShakespeare(context.data, blockSize)
        : await loadText(data.file, blockSize);
    const vocabSize = train.vocabulary!.size; // 65 for Shakespeare
    return { model: gpt({ size: model.size, vocabSize, blockSize }), train, validation };
  },
});
