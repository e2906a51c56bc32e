// A node's own arithmetic for its strategy, and when it is done: at once, together with the gradients or local steps under way, or
// left for the worker that does the node's next step. What is computed is the strategy's business, by whom the executor's.

import { seconds } from "@atoll/core";
import type { Executor } from "./executor.ts";
import type { LocalTask } from "./localTask.ts";
import type { StepClock } from "./stepClock.ts";
import type { LocalWork } from "./strategies/strategy.ts";

/** What was left to be done before the next thing. */
export interface LeftWork {
  readonly tasks: readonly LocalTask[];
  /** Whoever takes it says when it is done. */
  readonly done: () => void;
}

export class NodeWork implements LocalWork {
  readonly #executor: Executor;
  readonly #clock: StepClock;
  #isPreparing = false;
  /** Set while gradients or local steps are being computed, or are about to be. */
  #untilGradients: PromiseWithResolvers<void> | undefined;
  /** Operations that are to be done with them; undefined once these have been asked for. */
  #withGradients: LocalTask[] | undefined;
  /** Operations that are to be done before the next update or step, and who waits for them. */
  #left: LocalTask[] = [];
  #untilDone: PromiseWithResolvers<void> | undefined;

  constructor(executor: Executor, clock: StepClock) {
    this.#executor = executor;
    this.#clock = clock;
  }

  // Strategies hand these on by themselves, so they know whose they are.
  readonly gradients = (): Promise<void> => this.#untilGradients?.promise ?? Promise.resolve();

  readonly run = (task: LocalTask): Promise<void> => {
    if (this.#withGradients === undefined) return this.#executor.run(task);
    this.#withGradients.push(task);
    return this.#untilGradients!.promise;
  };

  readonly later = (task: LocalTask): Promise<void> => {
    this.#left.push(task);
    this.#untilDone ??= Promise.withResolvers<void>();
    return this.#untilDone.promise;
  };

  /** What is prepared is part of the gradient's or the steps' own work, which is on the clock as a whole. */
  readonly until = <T>(work: Promise<T>): Promise<T> =>
    this.#isPreparing ? work : this.#clock.work(seconds(0), work);

  /**
   * Computes gradients or local steps, and what is made of them before others are needed.
   * @param prepare starts what needs them; operations that it runs at once are done by the worker that computes them
   * @param compute starts the gradients or steps, and those operations right after them
   * @returns what `compute` does, once both are done
   */
  async prepared<T>(
    prepare: () => Promise<void>,
    compute: (tasks: readonly LocalTask[]) => Promise<T>,
  ): Promise<T> {
    const untilGradients = Promise.withResolvers<void>();
    const tasks: LocalTask[] = [];
    this.#isPreparing = true;
    this.#untilGradients = untilGradients;
    this.#withGradients = tasks;
    try {
      const preparation = prepare();
      this.#withGradients = undefined;
      const computed = compute(tasks).then((result) => {
        untilGradients.resolve();
        return result;
      });
      const [result] = await Promise.all([computed, preparation]);
      return result;
    } finally {
      this.#isPreparing = false;
      this.#untilGradients = undefined;
      this.#withGradients = undefined;
    }
  }

  takeLeft(): LeftWork {
    const tasks = this.#left;
    const until = this.#untilDone;
    this.#left = [];
    this.#untilDone = undefined;
    return { tasks, done: () => until?.resolve() };
  }

  /** Nothing is left to be done: others may look at the node. */
  async flush(): Promise<void> {
    const { tasks, done } = this.takeLeft();
    for (const task of tasks) await this.#clock.work(seconds(0), this.#executor.run(task));
    done();
  }
}
