// Training by processes: every rank is one, with memory, threads and clock of its own, and they talk over TCP. Rank 0 drives
// the run and leaves its record; the others serve it. All prepare the run from the same options and the same seed, which is
// checked before the first step.
// Nodes, strategies and executors are those of simulated runs. For strategies whose nodes wait for each other losses,
// models, evaluations and bytes are those of a simulated run, bit for bit; seconds are what the machines take.

import { joinTcpWorld } from "@atoll/comm/node";
import { InterruptedError, seconds } from "@atoll/core";
import { resolveNetwork } from "@atoll/network";
import { createArithmetic } from "../../arithmetic.ts";
import { type FitResult, setUpFit, type TrainerParts } from "../../fit.ts";
import type { FitOptions } from "../../options.ts";
import { refuseSimulatedOnly } from "../../simulatedOnly.ts";
import { startWorkers, type Workers, workerThreads } from "../workerThreads.ts";
import { follow } from "./follow.ts";
import { identityOf } from "./identity.ts";
import type { Joined, Rendezvous } from "./joined.ts";
import { Lead } from "./lead.ts";
import { Links, shapingAtFirst } from "./links.ts";
import { channelOf, type RunFailure } from "./messages.ts";
import { doesSurvive, planOf } from "./survival.ts";

export type { Rendezvous } from "./joined.ts";

export interface ProcessTrainerOptions extends Pick<TrainerParts, "model" | "train" | "validation"> {
  readonly rendezvous: Rendezvous;
  /** Threads to compute on, which stay the caller's to dispose of. Default: one, since ranks may share a machine. */
  readonly workers?: Workers;
  /** Milliseconds since 1970; of machines that agree on the time. Default: the real clock. */
  readonly wallClock?: () => number;
}

export class ProcessTrainer {
  readonly #options: ProcessTrainerOptions;

  constructor(options: ProcessTrainerOptions) {
    this.#options = options;
  }

  /**
   * Rank 0 of a run on `nodes` processes: drives it, and returns the average of their models.
   * @throws as LocalTrainer's `fit`; RunError if a rank is lost
   */
  async fit(given: FitOptions): Promise<FitResult> {
    const startedAt = this.#nowMs();
    return this.#join(given, (joined) => new Lead(joined, this.#options.rendezvous).run(startedAt));
  }

  /**
   * Any other rank: serves rank 0 until the run is over.
   * @returns why the run has not come to its end, in rank 0's words; null if it has
   * @throws RunError if rank 0 is lost; ConfigError if this rank cannot begin
   */
  async serve(given: FitOptions): Promise<RunFailure | null> {
    return this.#join(given, follow);
  }

  #nowMs(): number {
    const { wallClock = () => performance.timeOrigin + performance.now() } = this.#options;
    return wallClock();
  }

  async #join<T>(given: FitOptions, body: (joined: Joined) => Promise<T>): Promise<T> {
    const { rendezvous, workers: ownWorkers, model, train, validation } = this.#options;
    const nowMs = (): number => this.#nowMs();
    const parts: TrainerParts = {
      model,
      train,
      ...(validation === undefined ? {} : { validation }),
      wallClock: nowMs,
    };
    const setup = await setUpFit(parts, { ...given, compute: given.compute ?? { kind: "real" } });
    refuseSimulatedOnly(setup.options);
    const workers = ownWorkers ?? startWorkers(1);
    const over = new AbortController();
    let isJoined = false;
    try {
      await using executor = await workerThreads(workers)(setup.executorOptions);
      const { options, random } = setup;
      const network = resolveNetwork(options.network, {
        worldSize: options.nodes,
        random: random.derive("network"),
      });
      const collectives: Joined["collectives"] = { onPart: undefined };
      const epoch = { ms: nowMs() };
      const { shaping: asked = "none", run } = rendezvous;
      const warn = (message: string): void => options.emit({ type: "warning", message });
      await using world = await joinTcpWorld({
        ...rendezvous,
        shaping: shapingAtFirst(asked),
        worldSize: options.nodes,
        network,
        allReduce: options.allReduce,
        arithmetic: createArithmetic(executor),
        clock: { now: () => seconds((nowMs() - epoch.ms) / 1000) },
        onCollective: (part) => collectives.onPart?.(part),
        warn,
        signal: AbortSignal.any([options.signal, rendezvous.abandoned].filter((end) => end !== undefined)),
      });
      isJoined = true;
      await using links = await Links.open({ asked, world, network, run, warn });
      const plan = planOf(setup, network);
      const survives = doesSurvive(plan.policy, options);
      const identity = identityOf(setup, {
        network: network.config,
        allReduce: options.allReduce,
        shaping: asked,
      });
      const channel = channelOf(world.control);
      const { signal } = over;
      const known = {
        plan,
        survives,
        setup,
        executor,
        network,
        world,
        links,
        channel,
        identity,
        nowMs,
        epoch,
        collectives,
        signal,
      };
      return await body(known);
    } catch (error) {
      if (!isJoined && given.signal?.aborted)
        throw new InterruptedError("Interrupted before the first step.", error);
      if (!isJoined && rendezvous.abandoned?.aborted) throw rendezvous.abandoned.reason;
      throw error;
    } finally {
      over.abort();
      if (ownWorkers === undefined) await workers[Symbol.asyncDispose]();
    }
  }
}
