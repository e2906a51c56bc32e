// train.csv and validation.csv as EXO Gym writes them, and records.csv, from the run's events, in the order in which they happened: a step
// that was done again after a roll-back has a row each time, and the last one counts.

import type { RunEvent } from "@atoll/core";

export const TRAIN_HEADER = "step,examples_trained,train_loss,train_perplexity,lr\n";
export const VALIDATION_HEADER = "step,local_loss,local_perplexity,global_loss,global_perplexity\n";

export const RECORDS_HEADER = "step,simulated_seconds,quantity,nodes,mean,min,max\n";

/** What the run was asked to record: a row each; no minimum and maximum for what belongs to pairs of nodes. */
export const recordRows = (events: readonly RunEvent[]): string =>
  events
    .filter((event) => event.type === "recorded")
    .map(
      ({ step, time, quantity, nodes, mean, range }) =>
        `${step},${time},${quantity},${nodes},${numeral(mean)},${range === null ? "," : `${numeral(range.min)},${numeral(range.max)}`}\n`,
    )
    .join("");

/** What was read back from a log has null for what is no finite number. */
const numeral = (value: number | null): string => String(value ?? Number.NaN);

export const trainRows = (events: readonly RunEvent[]): string =>
  events
    .filter((event) => event.type === "step")
    .map(
      ({ step, examples, loss, learningRate }) =>
        `${step},${examples},${loss},${Math.exp(loss)},${learningRate}\n`,
    )
    .join("");

export const validationRows = (events: readonly RunEvent[]): string =>
  events
    .filter((event) => event.type === "evaluation")
    .filter(({ split }) => split === "validation")
    .map(
      ({ step, loss: { local, global } }) =>
        `${step},${local},${Math.exp(local)},${global},${Math.exp(global)}\n`,
    )
    .join("");
