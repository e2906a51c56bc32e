// Training on simulated machines; runs in browsers too. What needs Node is in @atoll/train/node.

export type {
  ComputeModel,
  ComputeOptions,
  DeviceOptions,
  DeviceProfile,
  MeasuredOptions,
  SpeedOptions,
} from "./compute.ts";
export { createComputeModel, defaultCompute, deviceProfiles } from "./compute.ts";
export type {
  DataSource,
  Dataset,
  DatasetFactory,
  Partition,
  Subset,
  Tokenizer,
  Vocabulary,
} from "./data/index.ts";
export {
  characterVocabulary,
  createDecoder,
  createTokenizer,
  digits,
  holdOut,
  tableDataset,
  windowsDataset,
} from "./data/index.ts";
export type { RunEvaluation } from "./evaluation.ts";
export type { Evaluation, Executor, ExecutorFactory, ExecutorOptions, StepBatch } from "./executor.ts";
export {
  defineExperiment,
  type Experiment,
  type ExperimentContext,
  type ExperimentParts,
} from "./experiment.ts";
export type { FaultyRunOptions, Recovery } from "./faults/policy.ts";
export { type GenerateOptions, generate, predictsTokens } from "./generate.ts";
export { type InProcessOptions, inProcessExecutor } from "./inProcessExecutor.ts";
export {
  checkFit,
  checkFitOptions,
  type FitResult,
  hasEndingTrace,
  LocalTrainer,
  type LocalTrainerOptions,
} from "./localTrainer.ts";
export type { ApplyContext, ExampleType, GptOptions, GptSize, Model } from "./models/index.ts";
export { cnn, gpt, gptSizes, mlp, smallCnn } from "./models/index.ts";
export { createOptimizer, defaultOptimizer, type OptimizerConfig, optimizerEntries } from "./optimizers.ts";
export type { CheckpointStore, FitOptions } from "./options.ts";
export type { Replica } from "./replica.ts";
export { probabilitiesOf, type SamplingOptions, sampleToken } from "./sampling.ts";
export { refuseSimulatedOnly } from "./simulatedOnly.ts";
export type { NodeSnapshot, NodeState, RunSnapshot } from "./snapshot.ts";
export {
  type AdaptiveDecayOptions,
  type AdaptiveOptions,
  type AdPsgdOptions,
  adagradOuter,
  adamOuter,
  adPsgd,
  type DdpOptions,
  type DeMoOptions,
  type DgcOptions,
  type DiLoCoOptions,
  ddp,
  deMo,
  dgc,
  diLoCo,
  type EagerDiLoCoOptions,
  type Exchange,
  eagerDiLoCo,
  type FedAdagradOptions,
  type FedAdamOptions,
  type FedAvgOptions,
  type FedProxOptions,
  type FedYogiOptions,
  fedAdagrad,
  fedAdam,
  fedAvg,
  fedProx,
  fedYogi,
  type GradientStrategy,
  type Int8AllReduceOptions,
  int8AllReduce,
  isAsynchronous,
  type MuLoCoOptions,
  muLoCo,
  type NesterovOptions,
  type NoLoCoOptions,
  nesterov,
  noLoCo,
  type OneBitAdamOptions,
  type OuterOptimizer,
  oneBitAdam,
  type ParameterStrategy,
  type PowerSgdOptions,
  type PushGraph,
  powerSgd,
  type QsgdOptions,
  qsgd,
  type SgpOptions,
  type SparseLoCoOptions,
  type SpartaDiLoCoOptions,
  type SpartaOptions,
  type Strategy,
  type StrategyEntry,
  type StrategyNode,
  type StrategyState,
  type StreamingDiLoCoOptions,
  sgp,
  sparseLoCo,
  sparta,
  spartaDiLoCo,
  strategyEntries,
  streamingDiLoCo,
  type Traffic,
  type TrafficModel,
  yogiOuter,
} from "./strategies/index.ts";
export { silenceOf } from "./strategies/silence.ts";
export type { MissingPolicy } from "./strategies/whenMissing.ts";
export { type TimingOptions, timingExecutor } from "./timingExecutor.ts";
