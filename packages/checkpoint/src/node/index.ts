export type { FileContent } from "./files.ts";
export { makeDirectories, writeDirectoryAtomic, writeError, writeFileAtomic } from "./files.ts";
export type { Checkpoint, CheckpointContent, TensorFile } from "./runCheckpoint.ts";
export { latestCheckpoint, listCheckpoints, loadCheckpoint, saveCheckpoint } from "./runCheckpoint.ts";
