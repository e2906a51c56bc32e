// What only an experiment's model and data tell of a matrix: whether there are examples for every node, labels to share them
// out by, layers for every fragment; whether links' traces last as long as what nodes of such a model send over them. It is
// asked before any run, as what options tell is when the matrix is planned.

import { ConfigError } from "@atoll/core";
import { checkFit, type ExperimentParts, hasEndingTrace } from "@atoll/train";
import { createParts } from "../experimentParts.ts";
import { Progress } from "../progress.ts";
import { type MatrixRun, refusalOf, type Training } from "./matrix.ts";
import type { MatrixContext } from "./runMatrix.ts";

/** @throws ConfigError that names the cell; what else goes wrong while data is made, as it is */
export async function refuseUnfit(
  trainings: readonly Training[],
  { experiment, terminal }: Pick<MatrixContext, "experiment" | "terminal">,
): Promise<void> {
  const progress = new Progress(terminal);
  // The others differ in their network, which no data is about, but a trace that ends is.
  const asked = trainings.flatMap(({ runs }) => runs.filter(({ fit }, i) => i === 0 || hasEndingTrace(fit)));
  for (const same of Map.groupBy(asked, partsKey).values()) {
    let parts: ExperimentParts | undefined; // One data set at a time: all of them may be too many for the memory.
    for (const { config, fit, label } of same)
      try {
        parts ??= await createParts(experiment, config, terminal, progress);
        await checkFit(parts, { ...fit, signal: terminal.interrupted });
      } catch (error) {
        throw error instanceof ConfigError ? refusalOf(label, error) : error;
      }
  }
}

/** Runs that train the same on the same. */
const partsKey = ({ config: { own }, seed }: MatrixRun): string => JSON.stringify([own, seed]);
