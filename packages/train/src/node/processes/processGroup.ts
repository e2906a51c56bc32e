// The nodes of a run that are processes, seen from rank 0: it tells each rank how far to go, and gathers models and
// snapshots from them. Seconds are real ones, without those in which the run was evaluated or saved.

import {
  type ConfigTree,
  type NodeTime,
  type Rank,
  type Seconds,
  seconds,
  type TopologyDrawn,
} from "@atoll/core";
import type { Network } from "@atoll/network";
import { averageWeights, evaluateRun, type RunEvaluation, type Weights } from "../../evaluation.ts";
import type { Executor } from "../../executor.ts";
import type { FitSetup } from "../../fit.ts";
import { nearestStop } from "../../nearestStop.ts";
import { StepRecorder, type StepReport } from "../../recorder.ts";
import type { RunNodes } from "../../runNodes.ts";
import { aheadOf, type RunSnapshot } from "../../snapshot.ts";
import { isAsynchronous } from "../../strategies/index.ts";
import type { RankCommands, RankStatus } from "./rank.ts";
import { lostOf, RanksLostError } from "./remoteRank.ts";
import { rankSnapshots, worldOf } from "./worldSnapshot.ts";

export interface ProcessGroupOptions {
  readonly setup: FitSetup;
  readonly executor: Executor;
  /** All ranks, this process's own first. */
  readonly ranks: readonly RankCommands[];
  readonly network: Network;
  /** What config.json says of the processes beside the network: how links are shaped, how long steps take. */
  readonly config: ConfigTree;
  /** Why a rank is lost, as the end of a sentence about it. */
  readonly fate: (rank: Rank) => Promise<string>;
}

export class ProcessGroup implements RunNodes {
  readonly goingBackTo = undefined;
  readonly #options: ProcessGroupOptions;
  readonly #recorder: StepRecorder;
  readonly #isAsynchronous: boolean;
  /** By rank, as of the last cut. */
  #statuses: readonly RankStatus[];
  #step: number;
  #time: number;
  /** By rank: the last step that was reported. */
  readonly #reported: number[];
  /** Nodes of an asynchronous run wait for nobody: they stop once all have come to this step. */
  #awaited: number | undefined;
  readonly #lost = new Set<Rank>();

  constructor(options: ProcessGroupOptions) {
    this.#options = options;
    const { ranks, setup } = options;
    const { resume, strategy, batchSize, emit } = setup.options;
    this.#isAsynchronous = isAsynchronous(strategy);
    this.#step = resume?.step ?? 0;
    this.#time = Math.max(0, ...(resume?.nodes ?? []).map(({ state }) => state.time));
    this.#statuses = ranks.map(() => ({ step: this.#step, time: this.#time, bytesSent: 0, spent: NOTHING }));
    this.#reported = ranks.map(() => this.#step);
    this.#recorder = new StepRecorder({
      nodes: ranks.length,
      batchSize,
      learningRate: (step) => strategy.optimizer.learningRate(step),
      emit,
    });
  }

  /** Brings all ranks to where a run was saved; to be called before the first `advance` of a resumed run. */
  async restore(resume: RunSnapshot): Promise<void> {
    const { ranks, setup } = this.#options;
    const { step } = resume;
    const examples = step * ranks.length * setup.options.batchSize;
    this.#recorder.restore({ step, examples, after: ranks.map(() => step) });
    const saved = rankSnapshots(resume);
    await Promise.all(
      ranks.map(async (rank, r) => {
        const ahead = aheadOf(resume.nodes[r]!);
        await rank.restore(step + ahead.length, saved[r]!);
        for (const report of ahead) this.reported(r, report);
      }),
    );
  }

  /** A rank has done a step. */
  reported(rank: Rank, report: StepReport): void {
    this.#recorder.report(rank, report);
    this.#reported[rank] = report.step;
    if (this.#awaited !== undefined && this.#haveAllDone(this.#awaited)) this.#letAllStop(this.#awaited);
  }

  /** A rank is gone. */
  lose(rank: Rank): void {
    this.#lost.add(rank);
  }

  get maxSteps(): number {
    return this.#options.setup.prepared.maxSteps;
  }

  get parameterCount(): number {
    return this.#options.setup.prepared.layout.size;
  }

  get step(): number {
    return this.#step;
  }

  get time(): Seconds {
    return seconds(this.#time);
  }

  get nodeTimes(): readonly NodeTime[] {
    return this.#statuses.map(({ spent }) => spent);
  }

  get bytesSent(): readonly number[] {
    return this.#statuses.map(({ bytesSent }) => bytesSent);
  }

  get config(): ConfigTree {
    const { network, setup, config } = this.#options;
    return { mode: "processes", network: network.config, allReduce: setup.options.allReduce, ...config };
  }

  describeTopology(): TopologyDrawn {
    return this.#options.network.describe();
  }

  async advance(step: number, signal: AbortSignal | undefined): Promise<void> {
    const { ranks } = this.#options;
    let stopping: Promise<number> | undefined;
    const stopEarly = (): void => {
      stopping ??= this.#stopEarly(step);
      // If it fails, the ranks that are under way fail, too.
      stopping.catch(() => undefined);
    };
    const isAwaited = this.#isAsynchronous && !this.#haveAllDone(step);
    this.#awaited = isAwaited ? step : undefined;
    const underWay = Promise.all(ranks.map((rank) => rank.advance({ step, isAwaited }, this.#time)));
    if (signal?.aborted) stopEarly();
    signal?.addEventListener("abort", stopEarly, { once: true });
    try {
      this.#statuses = await underWay;
      this.#step = (await stopping) ?? step;
    } catch (error) {
      throw await this.#explained(error);
    } finally {
      signal?.removeEventListener("abort", stopEarly);
      this.#awaited = undefined;
    }
    this.#time = Math.max(this.#time, ...this.#statuses.map(({ time }) => time));
  }

  /**
   * Two phases: every rank holds at the nearest step at which it can stop and says which that is; then all go on to one at
   * which all can.
   */
  async #stopEarly(planned: number): Promise<number> {
    const { ranks } = this.#options;
    this.#awaited = undefined;
    const held = await Promise.all(ranks.map((rank) => rank.hold()));
    const step = Math.min(planned, nearestStop(held, this.#isAsynchronous));
    const isAwaited = this.#isAsynchronous && !this.#haveAllDone(step);
    if (isAwaited) this.#awaited = step;
    await Promise.all(ranks.map((rank) => rank.retarget({ step, isAwaited })));
    return step;
  }

  #haveAllDone(step: number): boolean {
    return this.#reported.every((reported) => reported >= step);
  }

  #letAllStop(step: number): void {
    this.#awaited = undefined;
    // A rank that is lost meanwhile has failed in what it is asked to do already.
    for (const rank of this.#options.ranks) rank.retarget({ step, isAwaited: false }).catch(() => undefined);
  }

  async evaluate(indices: Uint32Array): Promise<RunEvaluation> {
    return evaluateRun(this.#options.executor, await this.#weights(), indices);
  }

  async average(): Promise<Weights> {
    return averageWeights(await this.#weights());
  }

  async snapshot(): Promise<RunSnapshot> {
    const saved = await this.#ask((rank) => rank.snapshot());
    return {
      step: this.#step,
      nodes: saved.map(({ node: { state, tensors } }, rank) => {
        const ahead = this.#recorder.ahead(rank).map((report) => ({ ...report, loss: finite(report.loss) }));
        return { state: ahead.length === 0 ? state : { ...state, ahead }, tensors };
      }),
      world: worldOf(saved, this.#options.network.snapshot()),
      durations: null,
    };
  }

  keepCheckpoint(): Promise<void> {
    return Promise.resolve();
  }

  #weights(): Promise<readonly Weights[]> {
    return this.#ask((rank) => rank.weights());
  }

  async #ask<T>(question: (rank: RankCommands) => Promise<T>): Promise<readonly T[]> {
    try {
      return await Promise.all(this.#options.ranks.map(question));
    } catch (error) {
      throw await this.#explained(error);
    }
  }

  /** What goes wrong when a rank is gone goes wrong in many places: the rank is what to tell of. */
  async #explained(error: unknown): Promise<unknown> {
    const lost = [...new Set([...this.#lost, ...lostOf(error)])].sort((a, b) => a - b);
    if (lost.length === 0) return error;
    const fates = await Promise.all(
      lost.map(async (rank) => `rank ${rank} is lost: ${await this.#options.fate(rank)}`),
    );
    return new RanksLostError(`The run cannot go on after step ${this.#step}: ${fates.join("; ")}.`, lost);
  }
}

const NOTHING: NodeTime = { compute: 0, communication: 0, waiting: 0 };

const finite = (loss: number): number | null => (Number.isNaN(loss) ? null : loss);
