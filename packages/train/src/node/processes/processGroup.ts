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
import { handOver } from "./handOver.ts";
import { Losses } from "./losses.ts";
import type { Presence } from "./presence.ts";
import type { Moment, RegroupCause } from "./processLife.ts";
import { type RankCommands, type RankStatus, statusBefore } from "./rank.ts";
import { rankSnapshots, runSnapshot } from "./worldSnapshot.ts";

export interface ProcessGroupOptions {
  readonly setup: FitSetup;
  readonly executor: Executor;
  /** All ranks, this process's own first. */
  readonly ranks: readonly RankCommands[];
  readonly network: Network;
  /** What config.json says of the processes beside the network: how links are shaped, how long steps take. */
  readonly config: () => ConfigTree;
  /** Why a rank is lost, as the end of a sentence about it. */
  readonly fate: (rank: Rank) => Promise<string>;
  readonly presence: Presence;
  /** Milliseconds; only differences matter. */
  readonly nowMs: () => number;
  /** After this a rank that another has lost is lost to rank 0 as well, in milliseconds. */
  readonly timeoutMs: number;
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
  readonly #losses: Losses;
  /** Nodes that wait for nobody go on for a while after the last has come to the cut: that is told after it. */
  #horizon: number;
  #beyond: { readonly rank: Rank; readonly report: StepReport }[] = [];
  /** Ranks stand in an exchange that broke off. */
  #isStanding = false;
  #epoch = 0;
  /** Makes the ranks stop where they can. */
  #stopSoon: (() => void) | undefined;

  constructor(options: ProcessGroupOptions) {
    this.#options = options;
    const { ranks, setup } = options;
    const { resume, strategy, batchSize, emit } = setup.options;
    this.#isAsynchronous = isAsynchronous(strategy);
    this.#step = resume?.step ?? 0;
    this.#horizon = this.#step;
    this.#time = Math.max(0, ...(resume?.nodes ?? []).map(({ state }) => state.time));
    this.#statuses = ranks.map((_, rank) => statusBefore(rank, this.#step, this.#time));
    this.#reported = ranks.map(() => this.#step);
    this.#recorder = new StepRecorder({
      nodes: ranks.length,
      batchSize,
      learningRate: (step) => strategy.optimizer.learningRate(step),
      emit,
    });
    this.#losses = new Losses({ ...options, stepsDone: () => this.#stepsDone });
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
    this.#reported[rank] = report.step;
    if (report.step > this.#horizon) this.#beyond.push({ rank, report });
    else this.#recorder.report(rank, report);
    if (this.#awaited !== undefined && this.#haveAllDone(this.#awaited)) this.#letAllStop(this.#awaited);
  }

  /** A rank is gone. */
  lose(rank: Rank, cause: string): void {
    const { presence } = this.#options;
    this.#losses.add(rank);
    // Nobody counts on it, so nothing breaks off.
    if (presence.back.includes(rank)) presence.lost(rank, cause, this.#time);
  }

  /** A new process has come for a rank that was lost; it is given the others' state when they can stop. */
  returned(rank: Rank): void {
    const { presence } = this.#options;
    // It may be back before the others have come to notice that it was gone.
    if (presence.present.includes(rank)) this.#leave(rank, "another process has come for it");
    this.#losses.remove(rank);
    presence.isBack(rank);
    this.#stopSoon?.();
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
    return { mode: "processes", network: network.config, allReduce: setup.options.allReduce, ...config() };
  }

  describeTopology(): TopologyDrawn {
    return this.#options.network.describe();
  }

  async advance(step: number, signal: AbortSignal | undefined): Promise<void> {
    this.#horizon = step;
    for (const { rank, report } of this.#beyond.splice(0)) this.reported(rank, report);
    for (;;) {
      if (!this.#isStanding) await this.#takeBack();
      const reached = await this.#segment(step, signal);
      if (reached === undefined) continue;
      this.#step = reached;
      if (reached >= step || signal?.aborted) return;
    }
  }

  /** @returns the step that all have come to; undefined if an exchange broke off, which those that are left begin again */
  async #segment(step: number, signal: AbortSignal | undefined): Promise<number | undefined> {
    const { ranks, presence } = this.#options;
    let stopping: Promise<number> | undefined;
    const stopEarly = (): void => {
      stopping ??= this.#stopEarly(step);
      // If it fails, the ranks that are under way fail, too.
      stopping.catch(() => undefined);
    };
    const { present } = presence;
    const isAwaited = this.#isAsynchronous && !this.#haveAllDone(step);
    this.#awaited = isAwaited ? step : undefined;
    const target = { step, isAwaited };
    const underWay = Promise.all(
      present.map((rank) => this.#losses.unlessLost(rank, ranks[rank]!.advance(target, this.#time))),
    );
    this.#stopSoon = stopEarly;
    if (signal?.aborted || presence.back.length > 0) stopEarly();
    signal?.addEventListener("abort", stopEarly, { once: true });
    try {
      const statuses = (await underWay).filter((status) => status !== undefined);
      this.#enter(present, statuses);
      if (statuses.length < present.length || statuses.some(({ isStanding }) => isStanding))
        return await this.#regroup(present);
      this.#isStanding = false;
      return (await stopping) ?? step;
    } catch (error) {
      throw await this.#losses.explained(error);
    } finally {
      signal?.removeEventListener("abort", stopEarly);
      this.#stopSoon = undefined;
      this.#awaited = undefined;
    }
  }

  #enter(present: readonly Rank[], statuses: readonly RankStatus[]): void {
    const known = [...this.#statuses];
    for (const status of statuses) known[status.rank] = status;
    this.#statuses = known;
    this.#time = Math.max(this.#time, ...present.map((rank) => known[rank]!.time));
  }

  #leave(rank: Rank, why: string): void {
    this.#options.presence.lost(rank, why, this.#time);
    this.#recorder.leave(rank);
  }

  /**
   * Ranks are lost: by the policy, those that are left begin again what broke off, or the run ends.
   * @param before who had begun it
   */
  async #regroup(before: readonly Rank[]): Promise<undefined> {
    const { presence, fate, nowMs } = this.#options;
    const from = nowMs() - this.#time * 1000;
    // Who comes back from here on is seen here.
    this.#stopSoon = undefined;
    await this.#losses.untilLost(before, this.#step);
    for (const rank of presence.present.filter((other) => this.#losses.has(other))) {
      const why = await fate(rank);
      if (presence.present.includes(rank)) this.#leave(rank, why);
    }
    await presence.permission(this.#stepsDone);
    const left = presence.present;
    const furthest = Math.max(...left.map((rank) => this.#statuses[rank]!.exchanges));
    // Some may have come to the end of the exchange that broke off for others.
    for (const rank of left.filter((other) => this.#statuses[other]!.exchanges < furthest)) {
      presence.isBack(rank);
      this.#recorder.leave(rank);
    }
    const standing = presence.present.filter((rank) => this.#statuses[rank]!.isStanding);
    this.#isStanding = standing.length > 0;
    // An exchange is one of ranks that have done the round: who is back does it, too, from its beginning on.
    while (this.#isStanding && presence.isShort) {
      if (!presence.needsQuorum && this.#statuses[standing[0]!]!.begin === null) break;
      this.#time = (nowMs() - from) / 1000;
      await this.#handOver(standing[0]!, "begin");
      await presence.permission(this.#stepsDone);
    }
    await this.#beginEpoch([...new Set([...left, ...presence.present])], "loss");
    this.#time = (nowMs() - from) / 1000;
    // Where none stands, those that are back are given a state before anything is exchanged.
    if (this.#isStanding || presence.back.length === 0)
      presence.goneOn(Math.max(...presence.present.map((rank) => this.#statuses[rank]!.step)), this.#time);
    return undefined;
  }

  async #beginEpoch(ranks: readonly Rank[], cause: RegroupCause): Promise<void> {
    const epoch = ++this.#epoch;
    const { present } = this.#options.presence;
    // Who is lost meanwhile is found to be when the others go on.
    await Promise.all(
      ranks.map((rank) =>
        this.#losses.unlessLost(rank, this.#options.ranks[rank]!.regroup(present, epoch, cause)),
      ),
    );
  }

  /**
   * Waits for the calls that overlap with computing, on all ranks that are there. Who is lost meanwhile has none.
   * @returns whether none of them was broken off by a loss
   */
  async #haveCallsEnded(): Promise<boolean> {
    const { ranks, presence } = this.#options;
    const ends = await Promise.all(
      presence.present.map((rank) => this.#losses.unlessLost(rank, ranks[rank]!.haveCallsEnded())),
    );
    return ends.every((well) => well !== false);
  }

  /** Ranks that wait for it are given the state of another, and are with the others again. */
  async #takeBack(): Promise<void> {
    const { presence } = this.#options;
    if (presence.back.length === 0) return;
    // Those that are back have only the results: where another is lost, its loss comes first.
    if (!(await this.#haveCallsEnded())) return;
    const from = presence.present[0]!;
    await this.#handOver(from, "now");
    await this.#beginEpoch(presence.present, "return");
    presence.goneOn(this.#statuses[from]!.step, this.#time);
  }

  async #handOver(from: Rank, moment: Moment): Promise<void> {
    const { ranks, presence } = this.#options;
    const statuses = this.#statuses;
    const { to, step } = await handOver({ from, moment, ranks, statuses, presence, time: this.#time });
    for (const rank of to) {
      this.#reported[rank] = step;
      this.#recorder.join(rank, step);
    }
  }

  /**
   * Two phases: every rank holds at the nearest step at which it can stop and says which that is; then all go on to one at
   * which all can.
   */
  async #stopEarly(planned: number): Promise<number> {
    const { ranks, presence } = this.#options;
    this.#awaited = undefined;
    const { present } = presence;
    const answers = await Promise.all(
      present.map((rank) => this.#losses.unlessLost(rank, ranks[rank]!.hold())),
    );
    const held = answers.filter((answer) => answer !== undefined);
    const step = held.length === 0 ? planned : Math.min(planned, nearestStop(held, this.#isAsynchronous));
    const isAwaited = this.#isAsynchronous && !this.#haveAllDone(step);
    if (isAwaited) this.#awaited = step;
    // Whoever is held has to be told to go on, whatever has become of the others.
    await Promise.all(
      present.map((rank) => this.#losses.unlessLost(rank, ranks[rank]!.retarget({ step, isAwaited }))),
    );
    return step;
  }

  #haveAllDone(step: number): boolean {
    return this.#options.presence.present.every((rank) => this.#reported[rank]! >= step);
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
    await this.#untilCallsHaveEnded();
    const own = await this.#losses.ask((rank) => rank.snapshot("now"));
    const [first] = own.values();
    // Who is not there is saved as another is: the run goes on from here with all of them.
    const saved = this.#options.ranks.map((_, rank) => own.get(rank) ?? first!);
    const beyond = (rank: Rank): readonly StepReport[] =>
      this.#beyond.filter((other) => other.rank === rank).map(({ report }) => report);
    const ahead = saved.map((_, rank) => [...this.#recorder.ahead(rank), ...beyond(rank)]);
    return runSnapshot({ step: this.#step, saved, ahead, network: this.#options.network.snapshot() });
  }

  /** A loss may break off what overlaps with computing: those that are left begin it again before they are saved. */
  async #untilCallsHaveEnded(): Promise<void> {
    const { presence } = this.#options;
    if (!presence.survives || this.#isAsynchronous) return;
    try {
      while (!(await this.#haveCallsEnded())) await this.#regroup(presence.present);
    } catch (error) {
      throw await this.#losses.explained(error);
    }
  }

  keepCheckpoint(): Promise<void> {
    return Promise.resolve();
  }

  async #weights(): Promise<readonly Weights[]> {
    return [...(await this.#losses.ask((rank) => rank.weights())).values()];
  }

  /** Steps that are told of as done; all ranks stood still together after fewer. */
  get #stepsDone(): number {
    return this.#recorder.state.step;
  }
}
