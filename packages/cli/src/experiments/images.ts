// What the image experiments share: the choice of a model.

import { cnn, type Model, mlp, smallCnn } from "@atoll/train";
import { z } from "zod";

const models = { mlp, smallCnn, cnn } as const;

export const modelOption: z.ZodDefault<z.ZodEnum<{ mlp: "mlp"; smallCnn: "smallCnn"; cnn: "cnn" }>> = z
  .enum(["mlp", "smallCnn", "cnn"])
  .default("mlp")
  .describe("mlp (784-256-10), smallCnn (two convolutions), cnn (EXO Gym's, with batch norm and dropout)");

export const imageModel = (name: keyof typeof models): Model => models[name]();
