// A fixed pool of worker threads for the nodes' arithmetic: one a core, since ONNX Runtime runs a step on the thread
// that asks for it. Tasks wait in one queue and go to whichever worker is free; each worker does one at a time.
// Ready-made pools do not fit: workers keep sessions and shared memories, and every one of them has to be told of
// new ones (`broadcast`), which a pool of interchangeable workers has no way to say.

import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { invariant, RunError } from "@atoll/core";

/** What the pool sends a worker; it answers a task with a Reply of the same id, and a broadcast with nothing. */
export type PoolMessage<T, B> =
  | { readonly kind: "task"; readonly id: number; readonly task: T }
  | { readonly kind: "broadcast"; readonly content: B };

export type Reply<R> =
  | { readonly id: number; readonly result: R }
  | { readonly id: number; readonly error: Error };

interface Job<T, R> {
  readonly task: T;
  readonly resolve: (result: R) => void;
  readonly reject: (error: unknown) => void;
}

export class WorkerPool<T, R, B> implements AsyncDisposable {
  readonly #workers: readonly Worker[];
  readonly #idle: Worker[];
  readonly #queue: Job<T, R>[] = [];
  readonly #running: Map<Worker, Job<T, R>> = new Map();
  #failure: Error | undefined;
  #closed = false;
  #nextId = 0;

  /** @param module the worker's entry file */
  constructor(module: URL, size: number = availableParallelism()) {
    invariant(size >= 1, "a pool has at least one worker");
    this.#workers = Array.from({ length: size }, () => this.#start(module));
    this.#idle = [...this.#workers];
  }

  get size(): number {
    return this.#workers.length;
  }

  /** Runs a task on the next free worker; rejects with the worker's error. */
  run(task: T): Promise<R> {
    const { promise, resolve, reject } = Promise.withResolvers<R>();
    this.#queue.push({ task, resolve, reject });
    this.#dispatch();
    return promise;
  }

  /** Tells every worker something, before any task that is given to the pool later. */
  broadcast(content: B): void {
    const message: PoolMessage<T, B> = { kind: "broadcast", content };
    for (const worker of this.#workers) worker.postMessage(message);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }

  #start(module: URL): Worker {
    const worker = new Worker(module);
    worker.unref();
    worker.on("message", (reply: Reply<R>) => this.#finish(worker, reply));
    worker.on("error", (cause) =>
      this.#fail(new RunError(`A worker thread failed: ${cause.message}`, cause)),
    );
    worker.on("exit", (code) => {
      if (!this.#closed) this.#fail(new RunError(`A worker thread ended unexpectedly (exit code ${code}).`));
    });
    return worker;
  }

  #dispatch(): void {
    if (this.#failure) {
      this.#fail(this.#failure);
      return;
    }
    while (this.#idle.length > 0 && this.#queue.length > 0) {
      const worker = this.#idle.shift()!;
      const job = this.#queue.shift()!;
      this.#running.set(worker, job);
      // A pool with nothing to do does not keep the process alive; one with a task does.
      worker.ref();
      const message: PoolMessage<T, B> = { kind: "task", id: this.#nextId++, task: job.task };
      worker.postMessage(message);
    }
  }

  #finish(worker: Worker, reply: Reply<R>): void {
    const job = this.#running.get(worker);
    this.#running.delete(worker);
    this.#idle.push(worker);
    worker.unref();
    if ("error" in reply) job?.reject(reply.error);
    else job?.resolve(reply.result);
    this.#dispatch();
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const job of [...this.#running.values(), ...this.#queue.splice(0)]) job.reject(this.#failure);
    this.#running.clear();
  }
}
