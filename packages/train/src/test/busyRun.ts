// A run in which all that can be recorded comes about: batch norm, dropout, and a network that is slow and loses packets.

import { clouds, perceptron, type RehearsalOptions } from "./runs.ts";

export const STEPS = 10;
export const busyRun: Omit<RehearsalOptions, "strategy"> = {
  model: perceptron({ rate: 0.3, normed: true }),
  train: clouds(100),
  nodes: 3,
  maxSteps: STEPS,
  network: { profile: "mobile", topology: "ring" },
};
