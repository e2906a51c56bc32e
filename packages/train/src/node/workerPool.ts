// A fixed pool of worker threads for the nodes' arithmetic: one a core, since ONNX Runtime runs a step on the thread
// that asks for it. Tasks wait in one queue and go to whichever worker is free; each worker does one at a time. When the
// queue is long, a worker gets several at once, since a message between threads costs as much as a small task.
// Ready-made pools do not fit: workers keep sessions and shared memories, and every one of them has to be told of
// new ones (`broadcast`), which a pool of interchangeable workers has no way to say.

import "@atoll/tensor/node/no-telemetry";
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { invariant, RunError } from "@atoll/core";

/** What the pool sends a worker; it answers tasks with a reply for each, in their order, and a broadcast with nothing. */
export type PoolMessage<T, B> =
  | { readonly kind: "tasks"; readonly tasks: readonly T[] }
  | { readonly kind: "broadcast"; readonly content: B };

/** What a worker says once, when all that it imports has been loaded. */
export const READY = "ready";

export type Reply<R> = { readonly result: R } | { readonly error: Error };

/**
 * Megabytes of each worker's young generation. Large vectors are in shared memory, so what a worker allocates is small and
 * dies young; V8's default of 48 MB would grow to its limit all the same (measured: 60–80 MB more for two workers).
 */
const YOUNG_GENERATION_MB = 3;

/** Most tasks in one message. */
const LONGEST_BATCH = 16;

interface Job<T, R> {
  readonly task: T;
  readonly resolve: (result: R) => void;
  readonly reject: (error: unknown) => void;
}

export class WorkerPool<T, R, B> implements AsyncDisposable {
  /** Settle once each worker has been loaded, or has ended. */
  readonly #loaded: Promise<void>[] = [];
  readonly #workers: readonly Worker[];
  readonly #idle: Worker[];
  readonly #queue: Job<T, R>[] = [];
  readonly #running: Map<Worker, readonly Job<T, R>[]> = new Map();
  #failure: Error | undefined;
  #closed = false;

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

  /** A thread that is ended while it loads ONNX Runtime takes the whole process with it (Napi::Error), so it may load first. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    for (const worker of this.#workers) worker.ref();
    await Promise.all(this.#loaded);
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
    this.#fail(new RunError("The worker threads were disposed of before their work was done."));
  }

  #start(module: URL): Worker {
    const worker = new Worker(module, { resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB } });
    worker.unref();
    const { promise, resolve: loaded } = Promise.withResolvers<void>();
    this.#loaded.push(promise);
    worker.on("message", (message: typeof READY | readonly Reply<R>[]) => {
      if (message === READY) loaded();
      else this.#finish(worker, message);
    });
    worker.on("error", (cause) =>
      this.#fail(new RunError(`A worker thread failed: ${cause.message}`, cause)),
    );
    worker.on("exit", (code) => {
      loaded();
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
      // Half of an even share, so that workers that finish early find something left.
      const share = Math.floor(this.#queue.length / (2 * this.size));
      const jobs = this.#queue.splice(0, Math.min(LONGEST_BATCH, Math.max(1, share)));
      this.#running.set(worker, jobs);
      // A pool with nothing to do does not keep the process alive; one with a task does.
      worker.ref();
      const message: PoolMessage<T, B> = { kind: "tasks", tasks: jobs.map(({ task }) => task) };
      worker.postMessage(message);
    }
  }

  #finish(worker: Worker, replies: readonly Reply<R>[]): void {
    const jobs = this.#running.get(worker) ?? [];
    this.#running.delete(worker);
    this.#idle.push(worker);
    worker.unref();
    jobs.forEach((job, index) => {
      const reply = replies[index]!;
      if ("error" in reply) job.reject(reply.error);
      else job.resolve(reply.result);
    });
    this.#dispatch();
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const job of [...[...this.#running.values()].flat(), ...this.#queue.splice(0)])
      job.reject(this.#failure);
    this.#running.clear();
  }
}
