// EXO Gym's second study, on text: a small GPT learns to continue Shakespeare, or any other text, by characters or by
// GPT-2's byte pairs. Its learning rate warms up and falls along a cosine, and gradients are clipped, as in nanoGPT.
//
//   npx atoll compare examples/nanogpt.ts strategy=ddp,diloco strategy.H=50 nodes=4 blockSize=64 batchSize=8 maxSteps=500 \
//     optimizer.learningRate=3e-3 network.profile=cross-continental --name nanogpt
//   npx atoll sample nanogpt/ddp --prompt "ROMEO:" --tokens 400 --top-k 40
//   npx atoll train examples/nanogpt.ts data.file=my-book.txt data.tokenizer=bpe model.size=small blockSize=256 nodes=2
//
// What came out is in docs/examples.md.

import { defineExperiment, gpt } from "@atoll/train";
import { loadText, loadTinyShakespeare } from "@atoll/train/node";
import { z } from "zod";

export default defineExperiment({
  name: "my-nanogpt",
  summary: "a GPT on text",
  options: z.strictObject({
    data: z
      .strictObject({
        file: z.string().optional().describe("a UTF-8 text"),
        tokenizer: z.enum(["characters", "bpe"]).default("characters").describe("what a token is"),
      })
      .prefault({}),
    model: z.strictObject({ size: z.enum(["small", "base"]).default("small") }).prefault({}),
    blockSize: z.int().min(1).default(128).describe("tokens of one example"),
  }),
  defaults: {
    maxSteps: 200,
    batchSize: 16,
    valInterval: 50,
    valSize: 128, // on the way; the final model is evaluated on all of the held-out text
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
        ? await loadTinyShakespeare(context.data, blockSize, { tokenizer: data.tokenizer })
        : await loadText(data.file, blockSize, { tokenizer: data.tokenizer });
    const vocabSize = train.vocabulary!.size; // 65 for Shakespeare
    return { model: gpt({ size: model.size, vocabSize, blockSize }), train, validation };
  },
});
