// nanoGPT on text, by characters or by GPT-2's byte pairs: tiny Shakespeare, or any UTF-8 file.

import { defineExperiment, type Experiment, gpt, gptSizes } from "@atoll/train";
import { loadText, loadTinyShakespeare } from "@atoll/train/node";
import { z } from "zod";
import { group } from "../group.ts";

const options = z.strictObject({
  model: group("model.size=small", {
    size: z
      .enum(Object.keys(gptSizes))
      .default("small")
      .describe("small has 4 layers of 128 features; xl 48 of 1600"),
    dropout: z
      .number()
      .min(0)
      .lt(1)
      .default(0)
      .describe("dropout on embeddings, attention and residual branches"),
    bias: z.boolean().default(true).describe("biases in linear layers and layer norms"),
  }).prefault({}),
  data: group("data.file=book.txt", {
    file: z.string().optional().describe("a UTF-8 text file; tiny Shakespeare if left out"),
    tokenizer: z
      .enum(["characters", "bpe"])
      .default("characters")
      .describe("what a token is: a character, or one of GPT-2's byte pairs"),
    vocabulary: z
      .enum(["occurring", "all"])
      .default("occurring")
      .describe("byte pairs that the model knows: those of the text, or GPT-2's 50,257, many times slower"),
  }).prefault({}),
  blockSize: z.int().min(1).default(128).describe("tokens of one example"),
});

export const nanogpt: Experiment<typeof options> = defineExperiment({
  name: "nanogpt",
  summary: "nanoGPT on text (tiny Shakespeare, or any file)",
  options,
  defaults: {
    maxSteps: 200,
    batchSize: 16,
    optimizer: {
      kind: "adamw",
      learningRate: 1e-3,
      b2: 0.99,
      weightDecay: 0.1,
      decay: "matrices",
      clipNorm: 1,
    },
  },
  async create({ model, data, blockSize }, context) {
    const { file, ...tokens } = data;
    const { train, validation } =
      file === undefined
        ? await loadTinyShakespeare(context.data, blockSize, tokens)
        : await loadText(file, blockSize, tokens);
    const vocabSize = train.vocabulary!.size;
    return {
      model: gpt({ ...model, size: model.size as keyof typeof gptSizes, vocabSize, blockSize }),
      train,
      validation,
    };
  },
});
