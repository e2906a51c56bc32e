// One rank of a run whose nodes are processes: its node, and what can be asked of it. Rank 0 asks its own rank directly
// and the others over the control channel (remoteRank.ts), so both are one interface.

import type { ConfigValue, NodeTime, Rank } from "@atoll/core";
import { pack } from "@atoll/tensor";
import { type ComputeModel, createComputeModel } from "../../compute.ts";
import type { Sampler } from "../../data/index.ts";
import type { Weights } from "../../evaluation.ts";
import type { Executor } from "../../executor.ts";
import type { FaultPlan } from "../../faults/policy.ts";
import { LeftBehind } from "../../faults/signals.ts";
import type { FitSetup } from "../../fit.ts";
import { movingHorizon } from "../../horizon.ts";
import type { NodeAtWork } from "../../nearestStop.ts";
import type { StepReport } from "../../recorder.ts";
import { copyNode, type NodeParts, type NodeSnapshot, restoreNode, snapshotNode } from "../../snapshot.ts";
import { isAsynchronous } from "../../strategies/index.ts";
import { TrainNode } from "../../trainNode.ts";
import { type LifeWorld, type Moment, ProcessLife, type RegroupCause } from "./processLife.ts";
import { RankClock } from "./rankClock.ts";
import { settledWorld } from "./worldSnapshot.ts";

/** A rank's end of the world, as its transport serves it. */
export interface RankWorld extends LifeWorld {
  /** Seconds spent in communication so far. */
  times(): Pick<NodeTime, "communication" | "waiting">;
  /** What has to be remembered of the rank's calls and messages. */
  snapshot(): Promise<ConfigValue>;
  restore(snapshot: ConfigValue): void;
  haveEndedWell(): Promise<boolean>;
}

/** Where a rank is at a cut. */
export interface RankStatus {
  readonly rank: Rank;
  readonly step: number;
  /** Seconds of the run. */
  readonly time: number;
  readonly spent: NodeTime;
  readonly bytesSent: number;
  /** Exchanges that the node has been through. */
  readonly exchanges: number;
  /** Whether the rank stands in an exchange that has broken off, instead of having come to its target. */
  readonly isStanding: boolean;
  /** Steps that were done when the round began that the rank stands in; null if it cannot hand on what it had then. */
  readonly begin: number | null;
}

/** How far the nodes go. */
export interface Target {
  readonly step: number;
  /** Under an asynchronous strategy: whether some node has not come there, so that the others go on beyond it. */
  readonly isAwaited: boolean;
}

/** A rank's part of a snapshot of the run. */
export interface RankSnapshot {
  readonly node: NodeSnapshot;
  readonly world: ConfigValue;
  readonly spent: NodeTime;
}

/** What rank 0 asks of a rank. */
export interface RankCommands {
  /** Runs to the target. @param time seconds of the run at which the segment begins */
  advance(target: Target, time: number): Promise<RankStatus>;
  /** Draws the target to the nearest step at which the rank can stop, until it is told another. @returns that step and those done */
  hold(): Promise<NodeAtWork>;
  /** Sets another target while the rank runs. */
  retarget(target: Target): Promise<void>;
  weights(): Promise<Weights>;
  /** @param moment at "begin" of the round that the rank stands in: its status says whether it has kept that */
  snapshot(moment: Moment): Promise<RankSnapshot>;
  restore(step: number, saved: RankSnapshot): Promise<void>;
  /** The ranks that go on together, this one among them or not. */
  regroup(members: readonly Rank[], epoch: number, cause: RegroupCause): Promise<void>;
  /** Waits for the calls that overlap with computing. @returns whether they have ended well: none was broken off by a loss */
  haveCallsEnded(): Promise<boolean>;
  /** Goes on with another rank's state, after so many exchanges. */
  takeOver(step: number, exchanges: number, saved: RankSnapshot): Promise<void>;
}

export interface RankOptions {
  readonly rank: Rank;
  readonly setup: FitSetup;
  readonly executor: Executor;
  readonly world: RankWorld;
  /** Milliseconds since 1970. */
  readonly nowMs: () => number;
  readonly report: (report: StepReport) => void;
  /** Whether the run may go on without ranks that are lost. */
  readonly survives: boolean;
  readonly plan: FaultPlan;
  /** Aborted when the run is over before its end. */
  readonly signal: AbortSignal;
}

const NOTHING: NodeTime = { compute: 0, communication: 0, waiting: 0 };

/** Of a rank that has done nothing in this process. */
export const statusBefore = (rank: Rank, step: number, time: number): RankStatus => ({
  rank,
  step,
  time,
  spent: NOTHING,
  bytesSent: 0,
  exchanges: 0,
  isStanding: false,
  begin: null,
});

export class LocalRank implements RankCommands {
  readonly compute: ComputeModel;
  /** The clock that the rank's calls are timed on. */
  readonly clock: RankClock;
  readonly #world: RankWorld;
  readonly #node: TrainNode;
  readonly #parts: NodeParts;
  readonly #sampler: Sampler;
  readonly #batchSize: number;
  readonly #isAsynchronous: boolean;
  #life: ProcessLife | undefined;
  /** The rounds under way; of a rank that stands in an exchange, from one `advance` to the next. */
  #running: Promise<void> | undefined;
  readonly #maxSteps: number;
  #target: Target = { step: 0, isAwaited: false };
  /** Ends when the rank that holds is told where to go on to. */
  #held: PromiseWithResolvers<void> | undefined;
  /** Seconds between coming to cuts and going on from them. */
  #waitedAtCuts = 0;
  /** What the rank's counters began with. */
  #before: {
    readonly spent: NodeTime;
    readonly time: number;
    readonly world: ReturnType<RankWorld["times"]>;
  } = { spent: NOTHING, time: 0, world: NOTHING };

  constructor(options: RankOptions) {
    const { rank, setup, executor, world, nowMs, report, signal, survives, plan } = options;
    const { prepared, random } = setup;
    const { strategy, compute, nodes } = setup.options;
    this.#world = world;
    this.#isAsynchronous = isAsynchronous(strategy);
    this.#sampler = prepared.nodes[rank]!.sampler;
    this.#batchSize = setup.options.batchSize;
    this.compute = createComputeModel(compute, {
      nodes,
      flopsPerStep: executor.flopsPerStep,
      random: random.derive("compute"),
    });
    this.clock = new RankClock({ nowMs, slowdown: this.compute.slowdown(rank), signal });
    const replica = executor.allocate();
    replica.parameters.set(pack(prepared.initial.parameters, prepared.layout));
    replica.buffers.set(pack(prepared.initial.buffers, prepared.bufferLayout));
    const { layout, bufferLayout, maxSteps } = prepared;
    this.#maxSteps = maxSteps;
    this.#node = new TrainNode({
      ...prepared.nodes[rank]!,
      clock: this.clock,
      communicator: world.communicator,
      executor,
      replica,
      layout,
      strategy,
      compute: this.compute,
      random,
      recorder: { report: (_, of) => report(of) },
      horizon: movingHorizon(maxSteps, {
        step: () => this.#target.step,
        behind: () => (this.#target.isAwaited ? 1 : 0),
      }),
      life: survives
        ? (memory) => {
            const { kind } = plan.policy;
            this.#life = new ProcessLife(world, memory, { keeps: kind === "quorum" || kind === "wait" });
            return this.#life;
          }
        : undefined,
    });
    const { strategyState, recordMemory } = this.#node;
    this.#parts = { replica, layout, bufferLayout, strategyState, recordMemory };
  }

  async advance(target: Target, time: number): Promise<RankStatus> {
    // The rank was kept waiting at the cut for those that came to it later.
    this.#waitedAtCuts += Math.max(0, time - this.clock.now());
    this.#target = target;
    this.clock.start(time);
    this.#life?.goOn();
    try {
      this.#running ??= this.#rounds();
      await (this.#life === undefined ? this.#running : Promise.race([this.#running, this.#life.broken]));
    } finally {
      this.clock.stop();
    }
    return this.#status;
  }

  async #rounds(): Promise<void> {
    try {
      do {
        await this.#node.run();
        await this.#held?.promise;
      } while (this.#goesOn);
    } catch (error) {
      if (!(error instanceof LeftBehind)) throw error;
    } finally {
      this.#running = undefined;
    }
  }

  /** Whether the target is another than it was when the rank stopped. */
  get #goesOn(): boolean {
    const { step } = this.#node;
    const { step: last, isAwaited } = this.#target;
    return step < last || (this.#isAsynchronous && isAwaited && step < this.#maxSteps);
  }

  async hold(): Promise<NodeAtWork> {
    this.#held ??= Promise.withResolvers<void>();
    const { step, committed } = this.#node;
    this.#target = { step: Math.min(committed, this.#target.step), isAwaited: false };
    return { step, committed };
  }

  async retarget(target: Target): Promise<void> {
    this.#target = target;
    this.#held?.resolve();
    this.#held = undefined;
  }

  async weights(): Promise<Weights> {
    return this.#parts.replica;
  }

  async snapshot(moment: Moment): Promise<RankSnapshot> {
    if (moment === "begin") return this.#snapshotAtBegin();
    // Calls that overlap with computing have ended by then: their results are in the node's vectors.
    const world = await this.#world.snapshot();
    return { node: this.#snapshotNode(), world, spent: this.#spent };
  }

  /** For another rank, which has its own place in its data, clock and counters. */
  #snapshotAtBegin(): RankSnapshot {
    const life = this.#life!;
    const node = life.asAtBegin(() => copyNode(this.#snapshotNode()));
    return { node, world: settledWorld(life.begin!.calls), spent: this.#spent };
  }

  #snapshotNode(): NodeSnapshot {
    const { position: sampler } = this.#node;
    const time = this.clock.now();
    return snapshotNode(this.#parts, { time, computeSeconds: this.#spent.compute, sampler, ahead: [] });
  }

  async restore(step: number, { node, world, spent }: RankSnapshot): Promise<void> {
    restoreNode(this.#parts, node);
    this.#node.rollBack(step, node.state.sampler);
    this.#world.restore(world);
    this.#waitedAtCuts = 0;
    this.#before = { spent, time: node.state.time, world: this.#world.times() };
    this.clock.stopAt(node.state.time);
  }

  async regroup(members: readonly Rank[], epoch: number, cause: RegroupCause): Promise<void> {
    await this.#life?.regroup(members, epoch, cause);
  }

  haveCallsEnded(): Promise<boolean> {
    return this.#world.haveEndedWell();
  }

  async takeOver(step: number, exchanges: number, saved: RankSnapshot): Promise<void> {
    this.#life?.giveUp(this.#world.communicator.rank, exchanges);
    await this.#running;
    await this.restore(step, saved);
    // Each rank goes through data of its own, a batch a step.
    const { batchesPerEpoch } = this.#sampler;
    this.#sampler.position = {
      epoch: Math.floor(step / batchesPerEpoch),
      offset: (step % batchesPerEpoch) * this.#batchSize,
    };
  }

  get #status(): RankStatus {
    return {
      rank: this.#world.communicator.rank,
      step: this.#node.step,
      time: this.clock.now(),
      bytesSent: this.#world.communicator.bytesSent,
      spent: this.#spent,
      exchanges: this.#life?.exchanges ?? 0,
      isStanding: this.#life?.isStanding ?? false,
      begin: this.#life?.begin?.step ?? null,
    };
  }

  /** What is neither moving bytes nor waiting for others is the node's own work. */
  get #spent(): NodeTime {
    const { spent, time, world } = this.#before;
    const now = this.#world.times();
    const communication = now.communication - world.communication;
    const waiting = now.waiting - world.waiting + this.#waitedAtCuts;
    return {
      compute: spent.compute + Math.max(0, this.clock.now() - time - communication - waiting),
      communication: spent.communication + communication,
      waiting: spent.waiting + waiting,
    };
  }
}
