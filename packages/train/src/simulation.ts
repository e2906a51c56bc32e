// The simulated machines of one run: nodes, their clock, their network, and the state they share. It advances them all
// to a common step and can then be looked at, evaluated, saved. When to do which is the trainer's business.

import { createSimulatedWorld, type SimulatedWorld } from "@atoll/comm";
import {
  type ConfigTree,
  type NodeTime,
  type Random,
  type Rank,
  type Seconds,
  seconds,
  type TopologyDrawn,
} from "@atoll/core";
import { createVirtualClock, type Network, resolveNetwork, type VirtualClock } from "@atoll/network";
import { pack } from "@atoll/tensor";
import { createArithmetic } from "./arithmetic.ts";
import { type ComputeModel, createComputeModel } from "./compute.ts";
import { evaluateRun, type RunEvaluation } from "./evaluation.ts";
import type { Executor } from "./executor.ts";
import { measureSteps } from "./measure.ts";
import type { ResolvedFitOptions } from "./options.ts";
import type { PreparedRun } from "./prepare.ts";
import { StepRecorder } from "./recorder.ts";
import { refuseShortTrace } from "./refuseShortTrace.ts";
import type { Replica } from "./replica.ts";
import { aheadOf, type NodeParts, type RunSnapshot, restoreNode, snapshotNode } from "./snapshot.ts";
import { isAsynchronous } from "./strategies/index.ts";
import { type Horizon, TrainNode } from "./trainNode.ts";

export interface SimulationOptions {
  readonly options: ResolvedFitOptions;
  readonly prepared: PreparedRun;
  readonly executor: Executor;
  readonly random: Random;
  readonly wallClock: () => number;
}

/** Makes the nodes, all with the same initial parameters, or as a snapshot left them. */
export async function createSimulation(parts: SimulationOptions): Promise<Simulation> {
  const { options, prepared, executor, random, wallClock } = parts;
  const replicas = prepared.nodes.map(() => executor.allocate());
  const parameters = pack(prepared.initial.parameters, prepared.layout);
  const buffers = pack(prepared.initial.buffers, prepared.bufferLayout);
  for (const replica of replicas) {
    replica.parameters.set(parameters);
    replica.buffers.set(buffers);
  }
  const measured = options.resume?.durations ?? undefined;
  const computeOptions = await measureSteps(options.compute, { executor, prepared, wallClock, measured });
  const compute = createComputeModel(computeOptions, {
    nodes: options.nodes,
    flopsPerStep: executor.flopsPerStep,
    random: random.derive("compute"),
  });
  return new Simulation(parts, replicas, compute);
}

export class Simulation {
  readonly replicas: readonly Replica[];
  readonly maxSteps: number;
  readonly parameterCount: number;
  readonly #executor: Executor;
  readonly #network: Network;
  readonly #clock: VirtualClock;
  readonly #world: SimulatedWorld;
  readonly #nodes: readonly TrainNode[];
  readonly #parts: readonly NodeParts[];
  readonly #compute: ComputeModel;
  readonly #recorder: StepRecorder;
  readonly #horizon: Horizon;
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
    this.replicas = replicas;
    this.maxSteps = prepared.maxSteps;
    this.#horizon = { step: 0, behind: 0, last: prepared.maxSteps };
    this.#isAsynchronous = isAsynchronous(strategy);
    this.parameterCount = prepared.layout.size;
    this.#executor = executor;
    this.#compute = compute;
    this.#step = resume?.step ?? 0;
    this.#times = prepared.nodes.map((_, rank) =>
      seconds(resume === undefined ? 0 : resume.nodes[rank]!.state.time),
    );
    this.#network = resolveNetwork(options.network, { worldSize, random: random.derive("network") });
    refuseShortTrace({
      networkEnd: this.#network.horizon,
      nodes: worldSize,
      maxSteps: this.maxSteps,
      strategy,
      compute,
    });
    this.#clock = createVirtualClock();
    this.#world = createSimulatedWorld({
      worldSize,
      network: this.#network,
      clock: this.#clock,
      arithmetic: createArithmetic(),
      allReduce: options.allReduce,
      emit,
      warn: (message) => emit({ type: "warning", message }),
    });
    this.#recorder = new StepRecorder({
      nodes: worldSize,
      examplesPerStep: worldSize * options.batchSize,
      learningRate: (step) => strategy.optimizer.learningRate(step),
      emit,
    });
    this.#nodes = prepared.nodes.map((data, rank) => {
      const node = new TrainNode(
        {
          ...data,
          clock: this.#clock.forRank(rank),
          communicator: this.#world.communicator(rank),
          executor,
          replica: replicas[rank]!,
          layout: prepared.layout,
          strategy,
          compute,
          random,
          recorder: this.#recorder,
          horizon: this.#horizon,
        },
        resume && resumedNode(resume, rank),
      );
      return node;
    });
    this.#parts = this.#nodes.map(({ strategyState }, rank) => ({
      replica: replicas[rank]!,
      layout: prepared.layout,
      bufferLayout: prepared.bufferLayout,
      strategyState,
    }));
    if (resume) {
      this.#parts.forEach((parts, rank) => {
        restoreNode(parts, resume.nodes[rank]!);
        for (const report of aheadOf(resume.nodes[rank]!)) this.#recorder.report(rank, report);
      });
      this.#world.restore(resume.world);
    }
  }

  /** Steps that all nodes have done. */
  get step(): number {
    return this.#step;
  }

  /** When the last node got there. */
  get time(): Seconds {
    return seconds(this.#times.reduce((latest, time) => Math.max(latest, time), 0));
  }

  get nodeTimes(): readonly NodeTime[] {
    return this.#nodes.map((node, rank) => ({ compute: node.computeSeconds, ...this.#world.times(rank) }));
  }

  get bytesSent(): readonly number[] {
    return this.#nodes.map((_, rank) => this.#world.communicator(rank).bytesSent);
  }

  get network(): ConfigTree {
    return this.#network.config;
  }

  get compute(): ConfigTree {
    return this.#compute.config;
  }

  describeTopology(): TopologyDrawn {
    return this.#network.describe();
  }

  /**
   * Runs all nodes to `step`, or, once `signal` is aborted, to the nearest step at which all of them can stop. Under an
   * asynchronous strategy nodes that are ahead stop when the last one has come there, at steps of their own.
   */
  async advance(step: number, signal: AbortSignal | undefined): Promise<void> {
    this.#aimAt(step);
    const stopEarly = (): void => this.#aimAt(Math.min(step, this.#nearestStop()));
    if (signal?.aborted) stopEarly();
    signal?.addEventListener("abort", stopEarly, { once: true });
    try {
      await this.#clock.run(
        this.#nodes.map((node, rank) => () => this.#runNode(node, rank)),
        { startAt: this.#times.slice() },
      );
    } finally {
      signal?.removeEventListener("abort", stopEarly);
    }
    this.#step = this.#horizon.step;
  }

  #aimAt(step: number): void {
    this.#horizon.step = step;
    this.#horizon.behind = this.#nodes.filter((node) => node.step < step).length;
  }

  /** The first step at which all nodes can stop; under an asynchronous strategy, at which the last of them can. */
  #nearestStop(): number {
    const committed = this.#nodes.map((node) => node.committed);
    if (!this.#isAsynchronous) return Math.max(...committed);
    let stop = Math.min(...committed);
    // No node that has yet to come there may be under way to a later step.
    for (const node of this.#nodes.toSorted((a, b) => a.committed - b.committed))
      if (node.step < stop) stop = Math.max(stop, node.committed);
    return stop;
  }

  async #runNode(node: TrainNode, rank: Rank): Promise<void> {
    await node.run();
    this.#times[rank] = this.#clock.now();
  }

  evaluate(indices: Uint32Array): Promise<RunEvaluation> {
    return evaluateRun(this.#executor, this.replicas, indices);
  }

  snapshot(): RunSnapshot {
    return {
      step: this.#step,
      nodes: this.#nodes.map(({ computeSeconds, position: sampler }, rank) =>
        snapshotNode(this.#parts[rank]!, {
          time: this.#times[rank]!,
          computeSeconds,
          sampler,
          ahead: this.#recorder.ahead(rank),
        }),
      ),
      world: this.#world.snapshot(),
      durations: this.#compute.durations,
    };
  }
}

/** Where a node goes on: nodes of an asynchronous run are ahead of the step that all have done. */
const resumedNode = (
  { step, nodes }: RunSnapshot,
  rank: Rank,
): { readonly step: number; readonly computeSeconds: number } => ({
  step: step + aheadOf(nodes[rank]!).length,
  computeSeconds: nodes[rank]!.state.computeSeconds,
});
