// A worker for tests of the pool: it does what its task says.

import { getCompileCacheDir } from "node:module";
import { parentPort, threadId } from "node:worker_threads";
import { type PoolMessage, READY, type Reply } from "../node/workerPool.ts";

export type PoolTask =
  | { readonly kind: "report"; readonly number: number }
  | { readonly kind: "fail"; readonly message: string }
  | { readonly kind: "exit" }
  | { readonly kind: "hang" };

export interface PoolReport {
  readonly number: number;
  readonly thread: number;
  /** How many messages with tasks the worker has got. */
  readonly message: number;
  /** The last broadcast that this worker got. */
  readonly told: string | undefined;
  /** Where the worker finds and leaves compiled modules. */
  readonly compileCache: string | undefined;
}

let told: string | undefined;
let messages = 0;

let dealtWith = Promise.resolve();
parentPort!.on("message", (message: PoolMessage<PoolTask, string>) => {
  dealtWith = dealtWith.then(() => dealWith(message));
});

async function dealWith(message: PoolMessage<PoolTask, string>): Promise<void> {
  if (message.kind === "broadcast") {
    told = message.content;
    return;
  }
  messages++;
  const replies: Reply<PoolReport>[] = [];
  for (const task of message.tasks) replies.push(await answer(task));
  parentPort!.postMessage(replies);
}

parentPort!.postMessage(READY);

async function answer(task: PoolTask): Promise<Reply<PoolReport>> {
  switch (task.kind) {
    case "report":
      return {
        result: {
          number: task.number,
          thread: threadId,
          message: messages,
          told,
          compileCache: getCompileCacheDir(),
        },
      };
    case "fail":
      return { error: new Error(task.message) };
    case "exit":
      process.exit(3);
      break;
    case "hang":
      return new Promise(() => {});
    default:
      return task satisfies never;
  }
}
