// The worker threads of a run, which whoever makes this disposes of. They may be started early, to load native code while
// this thread loads the rest of the program: they are part of how long the command takes, and of nothing that it computes.

import { startWorkers, type Workers } from "@atoll/train/node/workers";

export class RunWorkers implements AsyncDisposable {
  #started: Workers | undefined;

  /** @param early whether to start as many threads as a run has whose options say nothing of them */
  constructor({ early }: { readonly early: boolean }) {
    if (early) this.#started = startWorkers();
  }

  /** @param count how many the run is to have; undefined for as many as there are by default */
  async take(count: number | undefined): Promise<Workers> {
    if (this.#started !== undefined && count !== undefined && count !== this.#started.size) {
      await this.#started[Symbol.asyncDispose]();
      this.#started = undefined;
    }
    this.#started ??= startWorkers(count);
    return this.#started;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#started?.[Symbol.asyncDispose]();
  }
}
