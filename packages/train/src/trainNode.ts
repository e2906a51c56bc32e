// One node of a run: plain async code that takes batches, steps, and talks to the others through its communicator.
// It is the same code on the virtual clock and as a process of its own; what differs are its arguments.
// It stops at the horizon (the next evaluation, checkpoint or the end) and goes on from there when run again. Under an
// asynchronous strategy, whose nodes never wait for each other, those that are ahead go on until the last has come to the
// horizon, and stop after the step that they are in: at one moment of simulated time, with whatever steps done. If they
// stopped at the same step, the others would miss what a faster node had sent by then.

import type { Communicator } from "@atoll/comm";
import { type Random, RunError, type Seconds, seconds } from "@atoll/core";
import type { VectorLayout } from "@atoll/tensor";
import { allocateBeside } from "@atoll/tensor/vectors";
import type { ComputeModel } from "./compute.ts";
import type { Sampler, SamplerPosition } from "./data/index.ts";
import type { Executor, StepBatch } from "./executor.ts";
import { type Adversity, FaultyNode } from "./faults/faultyNode.ts";
import type { NodeLife } from "./faults/nodeLife.ts";
import type { NodeMemory } from "./faults/nodeMemory.ts";
import type { Horizon } from "./horizon.ts";
import type { LocalTask } from "./localTask.ts";
import { NodeWork } from "./nodeWork.ts";
import { NodeRecord } from "./record/nodeRecord.ts";
import type { RunRecords } from "./record/runRecords.ts";
import type { StepRecorder } from "./recorder.ts";
import type { Replica } from "./replica.ts";
import type { ResumedNode, RoundBegun } from "./snapshot.ts";
import type { StepClock } from "./stepClock.ts";
import {
  type GradientStrategy,
  isAsynchronous,
  type ParameterStrategy,
  type Strategy,
  type StrategyNode,
  type StrategyState,
} from "./strategies/index.ts";

export interface TrainNodeOptions {
  readonly clock: StepClock;
  readonly communicator: Communicator;
  readonly executor: Executor;
  readonly replica: Replica;
  readonly layout: VectorLayout;
  readonly strategy: Strategy;
  readonly sampler: Sampler;
  /** Index of the node's data among the executor's sources. */
  readonly source: number;
  /** The node's part of all examples. */
  readonly share: number;
  readonly compute: ComputeModel;
  /** The run's stream, the same on every node. */
  readonly random: Random;
  /** Told of every step that the node has done. */
  readonly recorder: Pick<StepRecorder, "report">;
  /** Set where the run records more than its losses. */
  readonly records?: RunRecords | undefined;
  readonly horizon: Horizon;
  /** Is told that the node begins the exchange after so many steps. */
  readonly beginExchange?: ((step: number) => void) | undefined;
  /** Set where the run meets faults. */
  readonly adversity?: Adversity | undefined;
  /** Set where the nodes of a run are processes and may be lost. */
  readonly life?: ((memory: NodeMemory) => NodeLife) | undefined;
}

/** Longest run of local steps that is asked of the executor at once: bounds its memory and how long an interrupt waits. */
const LONGEST_RUN = 32;

export class TrainNode {
  readonly #options: TrainNodeOptions;
  readonly #strategyNode: StrategyNode;
  readonly #work: NodeWork;
  readonly #faulty: NodeLife | undefined;
  readonly #record: NodeRecord | undefined;
  readonly strategyState: StrategyState;
  #step = 0;
  #committed = 0;
  #computeSeconds = 0;
  /** Where nodes may be lost: where this one was when it began the round that it is in. */
  #begun: RoundBegun | undefined;
  /** Whether its next step is the first of a round. */
  #beginsRound = true;
  /** The gradient step under way: when it began, and how long it computes. */
  #computing = { from: seconds(0), duration: seconds(0) };

  constructor(options: TrainNodeOptions, resumed?: ResumedNode) {
    this.#options = options;
    this.#step = resumed?.step ?? 0;
    this.#committed = this.#step;
    this.#begun = resumed?.begun;
    this.#beginsRound = this.#begun === undefined;
    this.#computeSeconds = resumed?.computeSeconds ?? 0;
    const { communicator, layout, replica, share, random, adversity, clock } = options;
    this.#work = new NodeWork(options.executor, clock);
    const stepsDone = (): number => this.#step;
    const record = this.#createRecord();
    this.#record = record;
    const participants = (): Communicator => {
      const present = this.#faulty?.communicator ?? communicator;
      return record === undefined ? present : record.communicator(present);
    };
    this.#strategyNode = {
      get communicator() {
        return participants();
      },
      layout,
      parameters: replica.parameters,
      gradients: replica.gradients,
      slots: replica.slots,
      get step() {
        return stepsDone();
      },
      share,
      computed: (part) => this.#computed(part),
      sharedRandom: random.derive("strategy"),
      record,
      local: this.#work,
    };
    this.strategyState = beside(replica.parameters, options.strategy.init(this.#strategyNode));
    const memory = { replica, strategyState: this.strategyState, recordMemory: this.recordMemory };
    this.#faulty =
      adversity === undefined
        ? options.life?.(memory)
        : new FaultyNode({ ...adversity, rank: communicator.rank, clock, memory });
  }

  #createRecord(): NodeRecord | undefined {
    const { records, strategy, communicator } = this.#options;
    if (records === undefined) return undefined;
    // A gradient strategy exchanges before its step is counted.
    const step = (): number => (strategy.kind === "gradient" ? this.#step + 1 : this.#step);
    return new NodeRecord({ records, rank: communicator.rank, step });
  }

  /** What recording remembers of the node. */
  get recordMemory(): Readonly<Record<string, Float32Array>> {
    return this.#record?.memory ?? {};
  }

  /** Steps done. */
  get step(): number {
    return this.#step;
  }

  /** Steps done or under way: the earliest step at which the node can stop. */
  get committed(): number {
    return this.#committed;
  }

  /** Seconds of computing so far, as the compute model has them. */
  get computeSeconds(): number {
    return this.#computeSeconds;
  }

  /** Where the node is in its data. */
  get position(): SamplerPosition {
    return this.#options.sampler.position;
  }

  /** Where nodes may be lost: where this one was when it began the round that it is in. */
  get begun(): RoundBegun | undefined {
    return this.#begun;
  }

  /** Goes on to the horizon, or as far as faults let it come. */
  run(): Promise<void> {
    if (this.#faulty === undefined) return this.#rounds();
    return this.#faulty.live({ run: () => this.#rounds(), goOnFrom: (step) => this.#goOnFrom(step) });
  }

  /** Goes back to a step that was saved. What it has computed since then has taken its time all the same. */
  rollBack(step: number, position: SamplerPosition): void {
    this.#goOnFrom(step);
    this.#options.sampler.position = position;
  }

  /** Steps that the node had begun and does anew are of the same examples. */
  #goOnFrom(step: number): void {
    const { sampler } = this.#options;
    if (step === this.#begun?.step) sampler.position = this.#begun.sampler;
    this.#beginsRound = true;
    this.#step = step;
    this.#committed = step;
  }

  async #rounds(): Promise<void> {
    const { strategy, clock } = this.#options;
    // Whether a node that is ahead goes on is known when the clock has come to its time, not when the ranks are started.
    if (isAsynchronous(strategy)) await clock.sleep(seconds(0));
    for (;;) {
      if (this.#faulty !== undefined) {
        // Processes hand on what they had when they went on last: where they stop decides no simulated time.
        const begins = this.#beginsRound || this.#options.life !== undefined;
        if (begins) this.#begun = { step: this.#step, sampler: this.position };
        this.#faulty.boundary(this.#step, begins);
        this.#beginsRound = false;
      }
      if (this.#step >= this.#limit) {
        await this.#work.flush();
        break;
      }
      if (strategy.kind === "gradient") {
        await this.#gradientStep(strategy);
      } else {
        if (strategy.begin !== undefined) {
          // The step that follows has to be done, so that no interrupt comes between the two.
          this.#committed = this.#step + 1;
          await strategy.begin(this.#strategyNode, this.strategyState);
        }
        const left = strategy.localSteps(this.#step);
        if (!(left === Number.POSITIVE_INFINITY || (Number.isInteger(left) && left >= 1)))
          throw new RunError(
            `Strategy "${strategy.name}": expected localSteps to give a whole number of steps from 1 on, got ${left} after step ${this.#step}.`,
          );
        // At least the step that it has begun, if an interrupt has drawn the horizon nearer meanwhile.
        const steps = Math.max(1, Math.min(left, this.#limit - this.#step, LONGEST_RUN));
        await this.#localSteps(strategy, steps, steps === left);
      }
    }
  }

  /** How many steps the node may have done before it stops, as things are. */
  get #limit(): number {
    const { strategy, horizon } = this.#options;
    if (this.#step < horizon.step || !isAsynchronous(strategy)) return horizon.step;
    return horizon.behind > 0 ? horizon.last : this.#step;
  }

  async #gradientStep(strategy: GradientStrategy): Promise<void> {
    const { exchangesFrom = 1 } = strategy;
    const { clock, executor, replica } = this.#options;
    this.#committed = this.#step + 1;
    const [duration] = await this.#durations(1);
    this.#computing = { from: clock.now(), duration: duration! };
    const untilExchange = seconds(duration! * exchangesFrom);
    const batch = this.#nextBatch(1);
    const gradient = this.#prepared(strategy, (afterwards) =>
      executor.gradient(replica, batch, { afterwards }),
    );
    const loss = await clock.work(untilExchange, gradient);
    const applied = await this.#exchange(
      async (node, state) => (await strategy.exchange(node, state)) ?? undefined,
    );
    await this.#computed(1);
    const { tasks: beforehand, done } = this.#work.takeLeft();
    const gradients = applied ?? replica.gradients;
    await clock.work(seconds(0), executor.update(replica, this.#step, { beforehand, gradients }));
    done();
    this.#step++;
    this.#computeSeconds += duration!;
    this.#report(loss, normsOf(batch).get(0));
  }

  /** Lets the clock come to where this part of the step's compute time has passed. */
  async #computed(part: number): Promise<void> {
    const { clock } = this.#options;
    const { from, duration } = this.#computing;
    const left = from + duration * part - clock.now();
    if (left > 0) await clock.sleep(seconds(left));
  }

  /** Gradients or local steps, and what the strategy makes of them before it needs the others. */
  async #prepared<T>(
    strategy: Strategy,
    compute: (afterwards: readonly LocalTask[]) => Promise<T>,
  ): Promise<T> {
    // Where nodes may be missing it is not known yet who takes part: it is prepared when the exchange begins.
    if (strategy.prepare === undefined || this.#faulty !== undefined) return compute([]);
    return this.#work.prepared(() => strategy.prepare!(this.#strategyNode, this.strategyState), compute);
  }

  async #localSteps(strategy: ParameterStrategy, steps: number, exchanges: boolean): Promise<void> {
    const { clock, executor, replica, recorder, communicator } = this.#options;
    this.#committed = this.#step + steps;
    const durations = await this.#durations(steps);
    const { tasks: beforehand, done } = this.#work.takeLeft();
    const batch = this.#nextBatch(steps);
    const compute = (afterwards: readonly LocalTask[] = []): Promise<Float64Array> =>
      executor.localSteps(replica, batch, this.#step, { beforehand, afterwards });
    const { value: losses, ends } = await clock.steps(
      durations,
      exchanges ? this.#prepared(strategy, compute) : compute(),
    );
    done();
    const norms = normsOf(batch);
    for (let i = 0; i < steps; i++) {
      this.#computeSeconds += durations[i]!;
      const report = {
        step: this.#step + i + 1,
        loss: losses[i]!,
        time: ends[i]!,
        bytesSent: communicator.bytesSent,
        ...named(norms.get(i)),
      };
      if (i < steps - 1) recorder.report(communicator.rank, report);
    }
    this.#step += steps;
    if (exchanges) await this.#exchange((node, state) => strategy.synchronise(node, state));
    this.#report(losses[steps - 1]!, norms.get(steps - 1));
  }

  /** The step just finished, its communication included. */
  #report(loss: number, gradientNorm: number | undefined): void {
    const { recorder, communicator, clock } = this.#options;
    recorder.report(communicator.rank, {
      step: this.#step,
      loss,
      time: clock.now(),
      bytesSent: communicator.bytesSent,
      ...named(gradientNorm),
    });
  }

  /** Does what the strategy says, with the nodes that are there. */
  async #exchange<T>(run: (node: StrategyNode, state: StrategyState) => Promise<T>): Promise<T> {
    const once = (): Promise<T> => {
      this.#record?.beginExchange();
      this.#options.beginExchange?.(this.#step);
      return run(this.#strategyNode, this.strategyState);
    };
    if (this.#faulty === undefined) return once();
    this.#beginsRound = true;
    // Where an exchange may be undone, and others may copy the node at any time, nothing is left for later.
    return this.#faulty.exchange(this.#step, async () => {
      this.#work.takeLeft();
      const result = await once();
      await this.#work.flush();
      return result;
    });
  }

  /** How long the next steps take; none that the node does not live to see the end of. */
  async #durations(steps: number): Promise<readonly Seconds[]> {
    const { compute, communicator } = this.#options;
    const undisturbed = Array.from({ length: steps }, (_, i) =>
      compute.stepSeconds(communicator.rank, this.#step + i),
    );
    return this.#faulty === undefined ? undisturbed : this.#faulty.durations(undisturbed);
  }

  #nextBatch(steps: number): StepBatch {
    const { sampler, source, random, communicator } = this.#options;
    const keys = new Uint32Array(2 * steps);
    const own = random.derive("dropout", communicator.rank);
    for (let i = 0; i < steps; i++) keys.set(own.derive(this.#step + i).key, 2 * i);
    const of = this.#record?.gradientNorms(this.#step, steps) ?? [];
    const norms = of.length === 0 ? {} : { norms: { of, into: new Float64Array(of.length) } };
    return { source, indices: sampler.next(steps), keys, ...norms };
  }
}

/** By step of the batch, once it has been computed. */
const normsOf = ({ norms }: StepBatch): ReadonlyMap<number, number> =>
  new Map(norms?.of.map((step, i) => [step, norms.into[i]!]));

const named = (gradientNorm: number | undefined): { readonly gradientNorm?: number } =>
  gradientNorm === undefined ? {} : { gradientNorm };

/** A strategy's state where the node's parameters lie, so that workers and kernels reach all of it. */
function beside(parameters: Float32Array, { tensors, values }: StrategyState): StrategyState {
  const moved = Object.entries(tensors).map(([name, tensor]) => {
    const vector = allocateBeside(parameters, tensor.length);
    vector.set(tensor);
    return [name, vector];
  });
  return { tensors: Object.fromEntries(moved), values };
}
