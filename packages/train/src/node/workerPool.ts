// A fixed pool of worker threads for the nodes' arithmetic: one a core, since ONNX Runtime runs a step on the thread
// that asks for it. Tasks wait in one queue and go to whichever worker is free; each worker does one at a time. A message
// that wakes a thread costs as much as a small task, so tasks that are given together are sent several in a message
// (factoring: Hummel, Schonberg and Flynn, CACM 35(8), 1992), and a worker that is busy gets its next message beforehand
// while there are enough tasks for all, and several of small tasks. Given together are those that come in one turn of the
// event loop after another, as the clock lets one node after another go on: a worker that is woken for the first of them
// may take the core from this thread, which then hands out the others late.
// Ready-made pools do not fit: workers keep sessions and shared memories, and every one of them has to be told of
// new ones (`broadcast`), which a pool of interchangeable workers has no way to say.

import "@atoll/tensor/node/no-telemetry";
import { getCompileCacheDir } from "node:module";
import { availableParallelism } from "node:os";
import { dirname } from "node:path";
import { Worker } from "node:worker_threads";
import { invariant, messageOf, RunError } from "@atoll/core";

/**
 * What the pool sends a worker, which deals with messages one after the other: it answers tasks with a reply for each, in their
 * order, and a broadcast with nothing.
 */
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

/** Most messages that a worker has at once: one that it works on, and the next. */
const MOST_MESSAGES = 2;

/**
 * The same where all are small ones. While every worker is busy this thread may have to wait for a core: workers had done two
 * messages of a tenth of a millisecond each, and stood idle, before it sent them the next (measured with a worker a core).
 */
const MOST_SMALL = 8;

/** Tasks for each worker that are enough to begin with, though more are coming. */
const ENOUGH = 8;

/**
 * How long more tasks are waited for. With eight nodes, a fifth of a millisecond made a step 5 to 10 % shorter where all of
 * them go on at once; half of that did not always suffice, and a whole one kept back nodes that go on one by one.
 */
const LONGEST_GATHERING_MS = 0.2;

interface Job<T, R> {
  readonly task: T;
  readonly isSmall: boolean;
  readonly resolve: (result: R) => void;
  readonly reject: (error: unknown) => void;
}

/** A thread and the messages that it has not answered yet, in their order. */
interface Member<T, R> {
  readonly thread: Worker;
  readonly unanswered: (readonly Job<T, R>[])[];
}

export class WorkerPool<T, R, B> implements AsyncDisposable {
  /** Settle once each worker has been loaded, or has ended. */
  readonly #loaded: Promise<void>[] = [];
  readonly #members: readonly Member<T, R>[];
  readonly #queue: Job<T, R>[] = [];
  #dispatching = false;
  /** Tasks that have come since they are being gathered; undefined while they are not. */
  #gathered: number | undefined;
  #failure: Error | undefined;
  #closed = false;

  /** @param module the worker's entry file */
  constructor(module: URL, size: number = availableParallelism()) {
    invariant(size >= 1, "a pool has at least one worker");
    this.#members = Array.from({ length: size }, () => this.#start(module));
  }

  get size(): number {
    return this.#members.length;
  }

  /**
   * Runs a task on the next free worker; rejects with the worker's error.
   * @param isSmall it takes little longer than to tell a worker of it
   */
  run(task: T, { isSmall = false }: { readonly isSmall?: boolean } = {}): Promise<R> {
    const { promise, resolve, reject } = Promise.withResolvers<R>();
    this.#queue.push({ task, isSmall, resolve, reject });
    this.#gather();
    return promise;
  }

  /** Tells every worker something: after all tasks that have been given to the pool, and before any that is given later. */
  broadcast(content: B): void {
    this.#sendQueued();
    const message: PoolMessage<T, B> = { kind: "broadcast", content };
    for (const { thread } of this.#members) thread.postMessage(message);
  }

  /** A thread that is ended while it loads ONNX Runtime takes the whole process with it (Napi::Error), so it may load first. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    for (const { thread } of this.#members) thread.ref();
    await Promise.all(this.#loaded);
    await Promise.all(this.#members.map(({ thread }) => thread.terminate()));
    this.#fail(new RunError("The worker threads were disposed of before their work was done."));
  }

  #start(module: URL): Member<T, R> {
    const thread = new Worker(module, {
      env: environmentOfThreads(),
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
    });
    const member: Member<T, R> = { thread, unanswered: [] };
    thread.unref();
    const { promise, resolve: loaded } = Promise.withResolvers<void>();
    this.#loaded.push(promise);
    thread.on("message", (message: typeof READY | readonly Reply<R>[]) => {
      if (message === READY) loaded();
      else this.#finish(member, message);
    });
    thread.on("error", (cause) =>
      this.#fail(new RunError(`A worker thread failed: ${cause.message}`, cause)),
    );
    thread.on("exit", (code) => {
      loaded();
      if (!this.#closed) this.#fail(new RunError(`A worker thread ended unexpectedly (exit code ${code}).`));
    });
    return member;
  }

  /** Dispatches once a turn of the event loop has brought no further task, or that is enough. */
  #gather(): void {
    if (this.#gathered !== undefined) {
      this.#gathered++;
      return;
    }
    this.#gathered = 1;
    let before = 0;
    const began = performance.now();
    const look = (): void => {
      const isLast =
        this.#gathered === before ||
        this.#queue.length >= ENOUGH * this.size ||
        performance.now() - began > LONGEST_GATHERING_MS;
      before = this.#gathered!;
      if (!isLast) setImmediate(look);
      else {
        this.#gathered = undefined;
        this.#dispatch();
      }
    };
    setImmediate(look);
  }

  /** Once all answers that are there have been dealt with. */
  #dispatchSoon(): void {
    if (this.#dispatching) return;
    this.#dispatching = true;
    process.nextTick(() => {
      this.#dispatching = false;
      if (this.#gathered === undefined) this.#dispatch();
    });
  }

  #dispatch(): void {
    if (this.#failure) {
      this.#fail(this.#failure);
      return;
    }
    for (let round = 0; round < MOST_SMALL; round++) {
      const share = this.#share();
      for (const member of this.#members) {
        if (this.#queue.length === 0) return;
        if (member.unanswered.length === round && this.#takesNext(member))
          this.#send(member, this.#queue.splice(0, share));
      }
    }
  }

  /**
   * How many tasks go into the next message. Of small ones it is an even share; else half of one, so that workers that finish
   * early find something left.
   */
  #share(): number {
    const { length } = this.#queue;
    const others = this.#queue.findIndex(({ isSmall }) => !isSmall);
    const small = others === -1 ? length : others;
    const share = small > 0 ? small / this.size : length / (2 * this.size);
    return Math.max(1, Math.min(LONGEST_BATCH, Math.ceil(share)));
  }

  /** Whether a worker gets what is first in the queue, with the messages that it has. */
  #takesNext({ unanswered }: Member<T, R>): boolean {
    if (unanswered.length === 0) return true;
    const isSmall = this.#queue[0]!.isSmall && unanswered.every((jobs) => jobs.every((job) => job.isSmall));
    // The last tasks wait for whoever is free first.
    return isSmall || (unanswered.length < MOST_MESSAGES && this.#queue.length >= this.size);
  }

  /** What waits in the queue belongs to what the workers have been told so far. */
  #sendQueued(): void {
    if (this.#failure) return;
    const share = Math.ceil(this.#queue.length / this.size);
    for (const member of this.#members)
      if (this.#queue.length > 0) this.#send(member, this.#queue.splice(0, share));
  }

  #send(member: Member<T, R>, jobs: readonly Job<T, R>[]): void {
    const { thread, unanswered } = member;
    const message: PoolMessage<T, B> = { kind: "tasks", tasks: jobs.map(({ task }) => task) };
    try {
      thread.postMessage(message);
    } catch (cause) {
      this.#sendSingly(member, jobs, cause);
      return;
    }
    unanswered.push(jobs);
    // A pool with nothing to do does not keep the process alive; one with a task does.
    thread.ref();
  }

  /** Of jobs one of which cannot be copied, the others are sent all the same. */
  #sendSingly(member: Member<T, R>, jobs: readonly Job<T, R>[], cause: unknown): void {
    if (jobs.length > 1) for (const job of jobs) this.#send(member, [job]);
    else
      jobs[0]!.reject(new RunError(`A task cannot be sent to a worker thread: ${messageOf(cause)}`, cause));
    this.#dispatchSoon();
  }

  #finish({ thread, unanswered }: Member<T, R>, replies: readonly Reply<R>[]): void {
    const jobs = unanswered.shift() ?? [];
    if (unanswered.length === 0) thread.unref();
    jobs.forEach((job, index) => {
      const reply = replies[index]!;
      if ("error" in reply) job.reject(reply.error);
      else job.resolve(reply.result);
    });
    this.#dispatchSoon();
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    const sent = this.#members.flatMap(({ unanswered }) => unanswered.splice(0).flat());
    for (const job of [...sent, ...this.#queue.splice(0)]) job.reject(this.#failure);
  }
}

/**
 * That of the program, and the cache of compiled modules that it has turned on: a thread does not have it by itself, and spent
 * two thirds of its start on reading TypeScript that was there as compiled code (measured: 330 ms of the processor, then 100).
 */
function environmentOfThreads(): NodeJS.ProcessEnv {
  const directory = getCompileCacheDir();
  if (directory === undefined) return process.env;
  return { ...process.env, NODE_COMPILE_CACHE: dirname(directory) }; // Node adds its version to it by itself.
}
