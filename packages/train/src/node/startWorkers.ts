// How worker threads are started, and no more: an entry point of its own (@atoll/train/node/workers), since a program that
// starts them before it loads the rest has them by the time it needs them.

import type { Memories, Setup, Task, TaskResult } from "./trainingTasks.ts";
import { WorkerPool } from "./workerPool.ts";

export type Workers = WorkerPool<Task, TaskResult, Setup | Memories>;

/** Starts worker threads: early, since they load native code while the rest of a run is prepared. */
export const startWorkers = (count?: number): Workers =>
  new WorkerPool(new URL("./trainingWorker.ts", import.meta.url), count);
