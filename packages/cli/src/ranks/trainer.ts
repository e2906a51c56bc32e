// What a trainer of the command line is, whatever its nodes are, and what it is made of.

import type { ExperimentParts, FitOptions, FitResult } from "@atoll/train";
import type { Workers } from "@atoll/train/node/workers";
import type { ResolvedConfig } from "../runConfig.ts";
import type { RankPlace } from "./rankPlace.ts";

export interface TrainerContext {
  /** As the command line has it. */
  readonly experiment: string;
  readonly config: ResolvedConfig;
  readonly parts: ExperimentParts;
  readonly workers: Workers;
  readonly place: RankPlace | undefined;
}

export interface Trainer {
  fit(options: FitOptions): Promise<FitResult>;
}
