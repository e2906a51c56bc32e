// Every strategy that a config can name. A new one is a file beside this one and a line in each list below.

import { adPsgdEntry } from "./adPsgd.ts";
import { ddpEntry } from "./ddp.ts";
import { deMoEntry } from "./deMo.ts";
import { dgcEntry } from "./dgc.ts";
import { diLoCoEntry } from "./diLoCo.ts";
import { eagerDiLoCoEntry } from "./eagerDiLoCo.ts";
import { fedAdagradEntry } from "./fedAdagrad.ts";
import { fedAdamEntry } from "./fedAdam.ts";
import { fedAvgEntry } from "./fedAvg.ts";
import { fedProxEntry } from "./fedProx.ts";
import { fedYogiEntry } from "./fedYogi.ts";
import { int8AllReduceEntry } from "./int8AllReduce.ts";
import { muLoCoEntry } from "./muLoCo.ts";
import { noLoCoEntry } from "./noLoCo.ts";
import { oneBitAdamEntry } from "./oneBitAdam.ts";
import { powerSgdEntry } from "./powerSgd.ts";
import { qsgdEntry } from "./qsgd.ts";
import { sgpEntry } from "./sgp.ts";
import { sparseLoCoEntry } from "./sparseLoCo.ts";
import { spartaEntry } from "./sparta.ts";
import { spartaDiLoCoEntry } from "./spartaDiLoCo.ts";
import type { StrategyEntry } from "./strategy.ts";
import { streamingDiLoCoEntry } from "./streamingDiLoCo.ts";

export {
  type AdaptiveDecayOptions,
  type AdaptiveOptions,
  adagradOuter,
  adamOuter,
  yogiOuter,
} from "./adaptiveOuter.ts";
export { type AdPsgdOptions, adPsgd } from "./adPsgd.ts";
export { type DdpOptions, ddp } from "./ddp.ts";
export { type DeMoOptions, deMo } from "./deMo.ts";
export { type DgcOptions, dgc } from "./dgc.ts";
export { type DiLoCoOptions, diLoCo } from "./diLoCo.ts";
export { type EagerDiLoCoOptions, eagerDiLoCo } from "./eagerDiLoCo.ts";
export { type FedAdagradOptions, fedAdagrad } from "./fedAdagrad.ts";
export { type FedAdamOptions, fedAdam } from "./fedAdam.ts";
export { type FedAvgOptions, fedAvg } from "./fedAvg.ts";
export { type FedProxOptions, fedProx } from "./fedProx.ts";
export { type FedYogiOptions, fedYogi } from "./fedYogi.ts";
export { type Int8AllReduceOptions, int8AllReduce } from "./int8AllReduce.ts";
export { type MuLoCoOptions, muLoCo } from "./muLoCo.ts";
export { type NoLoCoOptions, noLoCo } from "./noLoCo.ts";
export { type OneBitAdamOptions, oneBitAdam } from "./oneBitAdam.ts";
export { type NesterovOptions, nesterov, type OuterOptimizer } from "./outerOptimizer.ts";
export { type PowerSgdOptions, powerSgd } from "./powerSgd.ts";
export type { PushGraph } from "./pushGraph.ts";
export { type QsgdOptions, qsgd } from "./qsgd.ts";
export { type SgpOptions, sgp } from "./sgp.ts";
export { type SparseLoCoOptions, sparseLoCo } from "./sparseLoCo.ts";
export { type SpartaOptions, sparta } from "./sparta.ts";
export { type SpartaDiLoCoOptions, spartaDiLoCo } from "./spartaDiLoCo.ts";
export {
  type GradientStrategy,
  isAsynchronous,
  type ParameterStrategy,
  type Strategy,
  type StrategyEntry,
  type StrategyNode,
  type StrategyState,
} from "./strategy.ts";
export { type StreamingDiLoCoOptions, streamingDiLoCo } from "./streamingDiLoCo.ts";
export type { Exchange, Traffic, TrafficModel } from "./traffic.ts";

export const strategyEntries: readonly StrategyEntry[] = [
  ddpEntry,
  fedAvgEntry,
  fedProxEntry,
  fedAdamEntry,
  fedYogiEntry,
  fedAdagradEntry,
  diLoCoEntry,
  spartaEntry,
  spartaDiLoCoEntry,
  noLoCoEntry,
  sgpEntry,
  adPsgdEntry,
  dgcEntry,
  qsgdEntry,
  deMoEntry,
  sparseLoCoEntry,
  powerSgdEntry,
  int8AllReduceEntry,
  oneBitAdamEntry,
  muLoCoEntry,
  eagerDiLoCoEntry,
  streamingDiLoCoEntry,
];
