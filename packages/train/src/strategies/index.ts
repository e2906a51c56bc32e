// Every strategy that a config can name. A new one is a file beside this one and a line in each list below.

import { ddpEntry } from "./ddp.ts";
import { diLoCoEntry } from "./diLoCo.ts";
import { fedAvgEntry } from "./fedAvg.ts";
import type { StrategyEntry } from "./strategy.ts";

export { type DdpOptions, ddp } from "./ddp.ts";
export { type DiLoCoOptions, diLoCo } from "./diLoCo.ts";
export { type FedAvgOptions, fedAvg } from "./fedAvg.ts";
export { type NesterovOptions, nesterov, type OuterOptimizer } from "./outerOptimizer.ts";
export type {
  GradientStrategy,
  ParameterStrategy,
  Strategy,
  StrategyEntry,
  StrategyNode,
  StrategyState,
} from "./strategy.ts";

export const strategyEntries: readonly StrategyEntry[] = [ddpEntry, fedAvgEntry, diLoCoEntry];
