// Entry of a worker thread: it runs the traced programs on nodes' vectors in shared memory. It is told once what there
// is to run (`Setup`); each task then names a node's memory and the examples to use. It keeps one session a program and
// its own arrays for batches, so that a run in full swing allocates nothing large.

import { parentPort } from "node:worker_threads";
import { invariant } from "@atoll/core";
import { TrainingSession } from "./trainingSession.ts";
import type { Memories, Setup, Task, TaskResult } from "./trainingTasks.ts";
import { type PoolMessage, READY, type Reply } from "./workerPool.ts";

const port = parentPort;
invariant(port, "trainingWorker.ts runs as a worker thread");

const memories: WebAssembly.Memory[] = [];
let session: TrainingSession | undefined;

/** Ends when all messages so far have been dealt with: the next one may come before that. */
let dealtWith = Promise.resolve();
port.on("message", (message: PoolMessage<Task, Setup | Memories>) => {
  dealtWith = dealtWith.then(() => dealWith(message));
});

// A message that cannot be read gets no answer: better to fail than to let the run wait for one.
port.on("messageerror", (error) => {
  throw error;
});

port.postMessage(READY);

async function dealWith(message: PoolMessage<Task, Setup | Memories>): Promise<void> {
  if (message.kind === "tasks") port!.postMessage(await answerAll(message.tasks));
  else if (message.content.kind === "setup")
    session = new TrainingSession(message.content, memories, session);
  else memories.splice(message.content.behind, memories.length, ...message.content.memories);
}

async function answerAll(tasks: readonly Task[]): Promise<readonly Reply<TaskResult>[]> {
  const replies: Reply<TaskResult>[] = [];
  for (const task of tasks) replies.push(await answer(task));
  return replies;
}

async function answer(task: Task): Promise<Reply<TaskResult>> {
  try {
    invariant(session, "a worker is set up before its first task");
    return { result: await session.run(task) };
  } catch (error) {
    return { error: error as Error };
  }
}
