export type { AdamOptimizerOptions, AdamWOptions } from "./adam.ts";
export { adam, adamW } from "./adam.ts";
export { addDecayedWeights } from "./addDecayedWeights.ts";
export { chain } from "./chain.ts";
export { clipByGlobalNorm } from "./clipByGlobalNorm.ts";
export { momentum } from "./momentum.ts";
export type { MuonOptions } from "./muon.ts";
export { muon, scaleByMuon } from "./muon.ts";
export { proximal } from "./proximal.ts";
export type { AdamOptions } from "./scaleByAdam.ts";
export { scaleByAdam } from "./scaleByAdam.ts";
export { scaleByLearningRate } from "./scaleByLearningRate.ts";
export type { Schedule } from "./schedule.ts";
export { constantSchedule, cosine, linearWarmup, warmupCosine } from "./schedule.ts";
export type { SgdOptions } from "./sgd.ts";
export { sgd } from "./sgd.ts";
export type {
  ChainPart,
  Decay,
  GradientTransformation,
  Optimizer,
  Updated,
  UpdateRule,
} from "./transformation.ts";
