// The simulated machines of one run: nodes, their clock, their network, and the state they share. It advances them all
// to a common step and can then be looked at, evaluated, saved. When to do which is the trainer's business.

import { createSimulatedWorld, type SimulatedWorld } from "@atoll/comm";
import {
  type ConfigTree,
  type EventSink,
  type NodeTime,
  type Random,
  type Rank,
  RunError,
  type Seconds,
  seconds,
  type TopologyDrawn,
} from "@atoll/core";
import {
  createVirtualClock,
  DeadlockError,
  type Network,
  resolveNetwork,
  type VirtualClock,
} from "@atoll/network";
import { pack } from "@atoll/tensor";
import { createArithmetic } from "./arithmetic.ts";
import { type ComputeModel, createComputeModel } from "./compute.ts";
import { averageWeights, evaluateRun, type RunEvaluation, type Weights } from "./evaluation.ts";
import type { Executor } from "./executor.ts";
import { Membership } from "./faults/membership.ts";
import { NodeMemories } from "./faults/nodeMemory.ts";
import { nodeTime } from "./faults/nodeTime.ts";
import { Notices } from "./faults/notices.ts";
import { Outlook } from "./faults/outlook.ts";
import { crashBehind, type FaultPlan, planFaults, scheduleFaults } from "./faults/policy.ts";
import { RollBack } from "./faults/signals.ts";
import { type Horizon, movingHorizon } from "./horizon.ts";
import { nearestStop } from "./nearestStop.ts";
import type { ResolvedFitOptions } from "./options.ts";
import type { PreparedRun } from "./prepare.ts";
import { RunRecords } from "./record/runRecords.ts";
import { StepRecorder } from "./recorder.ts";
import type { Replica } from "./replica.ts";
import type { RunNodes } from "./runNodes.ts";
import {
  aheadOf,
  copySnapshot,
  keptOf,
  type NodeParts,
  type RunSnapshot,
  restoreNode,
  resumedNode,
  snapshotNode,
} from "./snapshot.ts";
import { virtualSteps } from "./stepClock.ts";
import { isAsynchronous } from "./strategies/index.ts";
import { TrainNode } from "./trainNode.ts";

export interface SimulationOptions {
  /** With the durations of measured steps. */
  readonly options: ResolvedFitOptions;
  readonly prepared: PreparedRun;
  readonly executor: Executor;
  readonly random: Random;
}

/** Makes the nodes, all with the same initial parameters, or as a snapshot left them. */
export function createSimulation(parts: SimulationOptions): Simulation {
  const { options, prepared, executor, random } = parts;
  const replicas = prepared.nodes.map(() => executor.allocate());
  const parameters = pack(prepared.initial.parameters, prepared.layout);
  const buffers = pack(prepared.initial.buffers, prepared.bufferLayout);
  for (const replica of replicas) {
    replica.parameters.set(parameters);
    replica.buffers.set(buffers);
  }
  const compute = createComputeModel(options.compute, {
    nodes: options.nodes,
    flopsPerStep: executor.flopsPerStep,
    random: random.derive("compute"),
  });
  return new Simulation(parts, replicas, compute);
}

export class Simulation implements RunNodes {
  readonly #replicas: readonly Replica[];
  readonly maxSteps: number;
  readonly parameterCount: number;
  readonly #executor: Executor;
  readonly #network: Network;
  readonly #allReduce: ResolvedFitOptions["allReduce"];
  readonly #clock: VirtualClock;
  readonly #world: SimulatedWorld;
  readonly #nodes: readonly TrainNode[];
  readonly #parts: readonly NodeParts[];
  readonly #compute: ComputeModel;
  readonly #recorder: StepRecorder;
  readonly #records: RunRecords | undefined;
  readonly #horizon: Horizon;
  readonly #emit: EventSink;
  readonly #faults: FaultPlan | undefined;
  readonly #membership: Membership | undefined;
  readonly #memories = new NodeMemories((rank) => this.#parts[rank]!);
  readonly #notices: Notices | undefined;
  /** The last scheduled checkpoint of a run whose nodes may all have to go back to it. */
  #kept: RunSnapshot | undefined;
  /** Where all nodes are to stop next, in steps. */
  #target = 0;
  readonly #isAsynchronous: boolean;
  /** Each node's own time: nodes differ in it at a cut. */
  readonly #times: Seconds[];
  #step: number;

  constructor(
    { options, prepared, executor, random }: SimulationOptions,
    replicas: readonly Replica[],
    compute: ComputeModel,
  ) {
    const { nodes: worldSize, resume, emit, strategy } = options;
    this.#replicas = replicas;
    this.#allReduce = options.allReduce;
    this.maxSteps = prepared.maxSteps;
    this.#horizon = movingHorizon(prepared.maxSteps, {
      step: () => this.#target,
      behind: () => this.#behind,
    });
    this.#isAsynchronous = isAsynchronous(strategy);
    this.parameterCount = prepared.layout.size;
    this.#emit = emit;
    this.#executor = executor;
    this.#compute = compute;
    this.#step = resume?.step ?? 0;
    this.#times = prepared.nodes.map((_, rank) =>
      seconds(resume === undefined ? 0 : resume.nodes[rank]!.state.time),
    );
    const schedule =
      options.faults && scheduleFaults(options.faults, { worldSize, random: random.derive("faults") });
    this.#network = resolveNetwork(options.network, {
      worldSize,
      random: random.derive("network"),
      ...(schedule?.affectsLinks ? { outages: schedule } : {}),
    });
    const { topology } = this.#network;
    this.#faults = schedule && planFaults(options.faults!, strategy, { schedule, topology });
    const outlook = this.#faults && new Outlook(this.#faults, topology);
    this.#clock = createVirtualClock();
    this.#world = createSimulatedWorld({
      worldSize,
      network: this.#network,
      clock: this.#clock,
      arithmetic: createArithmetic(executor),
      allReduce: options.allReduce,
      emit,
      warn: (message) => emit({ type: "warning", message }),
      disruptions: outlook,
    });
    this.#records = options.record && new RunRecords(options.record, emit);
    this.#recorder = new StepRecorder({
      nodes: worldSize,
      batchSize: options.batchSize,
      learningRate: (step) => strategy.optimizer.learningRate(step),
      emit,
      records: this.#records,
    });
    const adversity = outlook && {
      outlook,
      policy: this.#faults!.policy,
      world: this.#world,
      membership: this.#createMembership(outlook, emit),
      notices: new Notices(this.#faults!.schedule, emit, worldSize),
    };
    this.#membership = adversity?.membership;
    this.#notices = adversity?.notices;
    this.#nodes = prepared.nodes.map((data, rank) => {
      return new TrainNode(
        {
          ...data,
          clock: virtualSteps(this.#clock.forRank(rank)),
          communicator: this.#world.communicator(rank),
          executor,
          replica: replicas[rank]!,
          layout: prepared.layout,
          strategy,
          compute,
          random,
          recorder: this.#recorder,
          records: this.#records,
          horizon: this.#horizon,
          // Nodes that never wait for each other have no exchange in common.
          beginExchange: this.#isAsynchronous ? undefined : (step) => this.#world.beginExchange(rank, step),
          adversity,
        },
        resume && resumedNode(resume, rank),
      );
    });
    this.#parts = this.#nodes.map(({ strategyState, recordMemory }, rank) => ({
      replica: replicas[rank]!,
      layout: prepared.layout,
      bufferLayout: prepared.bufferLayout,
      strategyState,
      recordMemory,
    }));
    if (resume) this.#restore(resume, options.batchSize);
    this.#keep();
  }

  #restore(resume: RunSnapshot, batchSize: number): void {
    const { step, nodes, world, faults } = resume;
    const after = nodes.map(() => step);
    this.#recorder.restore(faults?.recorder ?? { step, examples: step * nodes.length * batchSize, after });
    this.#parts.forEach((parts, rank) => {
      restoreNode(parts, nodes[rank]!);
      for (const report of aheadOf(nodes[rank]!)) this.#recorder.report(rank, report);
    });
    this.#world.restore(world);
    if (faults) this.#membership?.restore(faults.membership);
    for (const [rank, node] of nodes.entries()) {
      const kept = keptOf(node);
      if (kept !== undefined) this.#memories.restoreKept(rank, kept);
    }
    // Checkpoints of older versions do not say what has been told.
    if (faults?.notices) this.#notices?.restore(faults.notices);
  }

  /** Nodes that have not done the steps at whose end all are to stop. */
  get #behind(): number {
    return this.#nodes.filter(({ step }, rank) => step < this.#target && this.#isCurrent(rank)).length;
  }

  #createMembership(outlook: Outlook, emit: EventSink): Membership {
    return new Membership({
      plan: this.#faults!,
      outlook,
      world: this.#world,
      worldSize: this.#times.length,
      clock: this.#clock,
      network: this.#network,
      emit,
      memory: this.#memories,
      onJoin: (rank, step) => this.#recorder.join(rank, step),
      onLeave: (rank) => this.#recorder.leave(rank),
    });
  }

  /** Whether a node is with the others: not crashed, not left behind. */
  #isCurrent(rank: Rank): boolean {
    return this.#membership === undefined || this.#membership.status(rank) === "current";
  }

  get goingBackTo(): RunSnapshot | undefined {
    return this.#faults?.recovery === "checkpoint" ? this.#kept : undefined;
  }

  async keepCheckpoint(): Promise<void> {
    this.#keep();
  }

  #keep(): void {
    if (this.#faults?.schedule.affectsLinks) this.#kept = copySnapshot(this.#saved());
  }

  get step(): number {
    return this.#step;
  }

  get time(): Seconds {
    const times = this.#times.filter((_, rank) => this.#isCurrent(rank));
    return seconds(times.reduce((latest, time) => Math.max(latest, time), 0));
  }

  get nodeTimes(): readonly NodeTime[] {
    return this.#nodes.map((node, rank) => {
      const compute = node.computeSeconds;
      const { communication, waiting } = this.#world.times(rank);
      if (this.#membership === undefined) return { compute, communication, waiting };
      // What was done in vain, and what a node was down, is time in which it waited.
      // What comes after the run's end is no part of it: a node that is down may come back later.
      return nodeTime({ compute, communication }, Math.min(this.#times[rank]!, this.time));
    });
  }

  get bytesSent(): readonly number[] {
    return this.#nodes.map((_, rank) => this.#world.communicator(rank).bytesSent);
  }

  get config(): ConfigTree {
    return {
      network: this.#network.config,
      allReduce: this.#allReduce,
      compute: this.#compute.config,
      ...(this.#faults === undefined ? {} : { faults: this.#faults.config }),
    };
  }

  describeTopology(): TopologyDrawn {
    return this.#network.describe();
  }

  async advance(step: number, signal: AbortSignal | undefined): Promise<void> {
    this.#target = step;
    const stopEarly = (): void => {
      this.#target = Math.min(step, nearestStop(this.#nodes, this.#isAsynchronous));
    };
    if (signal?.aborted) stopEarly();
    signal?.addEventListener("abort", stopEarly, { once: true });
    const startAt = this.#times.slice();
    this.#membership?.begin(startAt);
    try {
      await this.#clock.run(
        this.#nodes.map((node, rank) => () => this.#runNode(node, rank)),
        { startAt },
      );
    } catch (error) {
      if (error instanceof RollBack) {
        this.#rollBack(error);
        return;
      }
      const crash = this.#faults && crashBehind(this.#faults, startAt, this.#clock.now());
      throw error instanceof DeadlockError && crash !== undefined ? crash : error;
    } finally {
      signal?.removeEventListener("abort", stopEarly);
    }
    if (!this.#nodes.some((_, rank) => this.#isCurrent(rank)))
      throw new RunError(
        `The run cannot go on after step ${this.#step}: all ${this.#nodes.length} nodes have crashed, and none rejoins.`,
      );
    this.#step = this.#target;
  }

  /** All nodes go back to the last scheduled checkpoint. What has been sent and computed since then has been in vain. */
  #rollBack({ at, message }: RollBack): void {
    const kept = this.#kept!;
    const membership = this.#membership!;
    const { examples } = this.#recorder.state;
    this.#step = kept.step;
    this.#world.restore(kept.world, { keepCounters: true });
    membership.rolledBack(at);
    const { membership: saved, steps } = kept.faults!;
    const after = this.#nodes.map((node, rank) => {
      // Who was not with the others then has nothing to go back to but what they had.
      const source = saved.statuses[rank] === "current" ? rank : saved.statuses.indexOf("current");
      restoreNode(this.#parts[rank]!, kept.nodes[source]!);
      if (source !== rank) this.#world.adopt(rank, source, 0);
      node.rollBack(steps[source]!, kept.nodes[rank]!.state.sampler);
      this.#times[rank] = seconds(at);
      return this.#isCurrent(rank) ? (source === rank ? kept.step : steps[source]!) : null;
    });
    this.#recorder.restore({ step: kept.step, examples, after });
    kept.nodes.forEach((node, rank) => {
      if (this.#isCurrent(rank) && after[rank] === kept.step)
        for (const report of aheadOf(node)) this.#recorder.report(rank, report);
    });
    const ranks = this.#nodes.map((_, rank) => rank);
    const { step } = kept;
    const text = `${message} They go on from step ${step}.`;
    this.#emit({ type: "fault", kind: "rolledBack", time: at, ranks, message: text, step });
  }

  async #runNode(node: TrainNode, rank: Rank): Promise<void> {
    await node.run();
    this.#times[rank] = this.#clock.forRank(rank).now();
  }

  /** Those of the nodes that are with the others. */
  get #currentReplicas(): readonly Replica[] {
    return this.#replicas.filter((_, rank) => this.#isCurrent(rank));
  }

  async recordCorrelation(): Promise<void> {
    this.#records?.correlation(this.#step, this.time, this.#currentReplicas);
  }

  evaluate(indices: Uint32Array): Promise<RunEvaluation> {
    return evaluateRun(this.#executor, this.#currentReplicas, indices);
  }

  async average(): Promise<Weights> {
    return averageWeights(this.#currentReplicas);
  }

  async snapshot(): Promise<RunSnapshot> {
    return this.#saved();
  }

  #saved(): RunSnapshot {
    return {
      step: this.#step,
      nodes: this.#nodes.map(({ computeSeconds, position: sampler, step, begun }, rank) => {
        const isKept = begun !== undefined && begun.step < step && this.#membership?.keepsBegin(rank);
        return snapshotNode(this.#parts[rank]!, {
          time: this.#times[rank]!,
          computeSeconds,
          sampler,
          ahead: this.#recorder.ahead(rank),
          begun,
          kept: isKept ? this.#memories.kept(rank) : undefined,
        });
      }),
      world: this.#world.snapshot(),
      durations: this.#compute.durations,
      faults: this.#membership
        ? {
            membership: this.#membership.snapshot(),
            notices: this.#notices!.snapshot(),
            recorder: this.#recorder.state,
            steps: this.#nodes.map(({ step }) => step),
          }
        : null,
    };
  }
}
