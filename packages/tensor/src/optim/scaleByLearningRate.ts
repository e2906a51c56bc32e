// The last link of most chains: a step against the gradient.

import { multiply } from "../ops.ts";
import { type Schedule, scheduleConfig, toSchedule } from "./schedule.ts";
import type { GradientTransformation } from "./transformation.ts";

/** `−learningRate · u`. */
export function scaleByLearningRate(learningRate: number | Schedule): GradientTransformation {
  const schedule = toSchedule(learningRate);
  return {
    name: "scaleByLearningRate",
    slots: [],
    config: { kind: "scaleByLearningRate", learningRate: scheduleConfig(schedule) },
    rule: { kind: "scaleByLearningRate", learningRate: schedule },
    learningRate: schedule,
    scalars: (count) => ({ negative: -schedule(count) }),
    update: (updates, _state, _parameters, scalars) => ({
      updates: multiply(updates, scalars.negative!),
      state: {},
    }),
  };
}
