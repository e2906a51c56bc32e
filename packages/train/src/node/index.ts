// Node's side of training: worker threads, run directories, data sets from files, trackers.

export type { DataOptions, DownloadProgress, TextDatasets, TokenOptions } from "./data/index.ts";
export { loadMnist, loadText, loadTinyShakespeare } from "./data/index.ts";
export { LocalTrainer, type LocalTrainerOptions } from "./localTrainer.ts";
export { RunDirectory } from "./runDirectory.ts";
export { type ModelWeights, readCheckpointModel, readFittedModel } from "./savedModel.ts";
export {
  type MetricRow,
  type Tracker,
  type TrackerContext,
  type TrackerEntry,
  Tracking,
  type TrackRunOptions,
  trackerEntries,
  trackRun,
} from "./trackers/index.ts";
export { readVocabulary } from "./vocabularyFile.ts";
export { startWorkers, type Workers, workerThreads } from "./workerThreads.ts";
