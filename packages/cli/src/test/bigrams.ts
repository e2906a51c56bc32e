// An experiment on text whose model is not Atoll's: one table of scores, by the last token.

import { embedding, filledTensor, softmaxCrossEntropy, type Tensor } from "@atoll/tensor";
import { defineExperiment, type Model } from "@atoll/train";
import { loadText } from "@atoll/train/node";
import { z } from "zod";

const BLOCK = 12;

function bigrams(size: number): Model {
  const tokens = { shape: [BLOCK], dtype: "int32" } as const;
  return {
    name: "bigrams",
    config: { kind: "bigrams", size },
    example: { x: tokens, y: tokens },
    init: () => ({ parameters: { weight: filledTensor([size, size], 0) }, buffers: {} }),
    apply: (table, x) => ({ logits: embedding(table as { weight: Tensor }, x), buffers: {} }),
    loss: softmaxCrossEntropy,
  };
}

export default defineExperiment({
  name: "bigrams",
  summary: "one table of scores, by the last token",
  options: z.strictObject({
    file: z.string(),
    tokenizer: z.enum(["characters", "bpe"]).default("characters"),
  }),
  defaults: { maxSteps: 4, batchSize: 4, valSize: 0 },
  async create({ file, tokenizer }) {
    const { train } = await loadText(file, BLOCK, { tokenizer });
    return { model: bigrams(train.vocabulary!.size), train };
  },
});
