// Worker threads that load native code while this thread loads the rest of the program: as many as a run has whose options
// say nothing of them. They are part of how long the command takes, and of nothing that it computes.

import { startWorkers, type Workers } from "@atoll/train/node/workers";

export class EarlyWorkers implements AsyncDisposable {
  #started: Workers | undefined = startWorkers();

  /**
   * The threads of a run, which are the caller's to dispose of.
   * @param count how many the run is to have; undefined for as many as there are by default
   */
  async take(count: number | undefined): Promise<Workers> {
    const started = this.#started;
    this.#started = undefined;
    if (started !== undefined && (count === undefined || count === started.size)) return started;
    await started?.[Symbol.asyncDispose]();
    return startWorkers(count);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#started?.[Symbol.asyncDispose]();
  }
}
