// What a worker thread does for the nodes: gathers batches, runs programs, applies updates, all on vectors in shared
// memory that it was handed. One instance a thread; it does one task at a time.

import { invariant, unreachable } from "@atoll/core";
import {
  applyUpdate,
  createKernels,
  createSession,
  type FusedUpdate,
  type HostArray,
  type Kernels,
  type LoweredProgram,
  type Session,
  type TensorSpec,
  type VectorAddress,
  viewAt,
} from "@atoll/tensor/node/runtime";
import { type DataSource, gather } from "../data/index.ts";
import type { StepBatch } from "../executor.ts";
import {
  localOperations,
  type OperationName,
  type OperationNumbers,
  type OperationVectors,
} from "../localOperations.ts";
import { type Replica, type ReplicaLayout, replicaOver } from "../replica.ts";

/** Evaluation is traced for a full batch, and for what is left over. */
export interface EvaluationProgram {
  readonly batchSize: number;
  readonly program: LoweredProgram;
}

/** How the optimizer is applied: by a fused kernel on the vectors, as a program, or inside a loop over whole steps. */
export type UpdateMode =
  | { readonly kind: "fused" }
  | { readonly kind: "program"; readonly program: LoweredProgram }
  | { readonly kind: "loop"; readonly program: LoweredProgram; readonly loop: LoweredProgram };

/** All that workers need to know of a run: plain data over shared memory. */
export interface Setup {
  readonly kind: "setup";
  readonly gradient: LoweredProgram;
  readonly update: UpdateMode;
  readonly batchSize: number;
  readonly minibatchSize: number;
  readonly replica: ReplicaLayout;
  readonly sources: readonly DataSource[];
  readonly evaluation:
    | { readonly source: DataSource; readonly programs: readonly EvaluationProgram[] }
    | undefined;
}

/** The memories that nodes' vectors lie in, so far. */
export interface Memories {
  readonly kind: "memories";
  readonly memories: readonly WebAssembly.Memory[];
}

/** The optimizer's numbers for each step of a task: for the fused kernel, or by name for a program, each [steps]. */
export type UpdateSteps = readonly FusedUpdate[] | ScalarTable;
export type ScalarTable = Readonly<Record<string, Float32Array>>;

/** A `LocalTask` whose vectors are told by where they lie. */
export interface RemoteTask {
  readonly operation: OperationName;
  readonly vectors: Readonly<Record<string, VectorAddress>>;
  readonly numbers: OperationNumbers;
}

export type Task =
  | {
      readonly kind: "gradient";
      readonly block: VectorAddress;
      readonly batch: StepBatch;
      readonly afterwards: readonly RemoteTask[];
    }
  | {
      readonly kind: "update";
      readonly block: VectorAddress;
      readonly beforehand: readonly RemoteTask[];
      /** What to apply, where it is not the replica's own gradients. */
      readonly gradients?: VectorAddress | undefined;
      readonly steps: UpdateSteps;
    }
  | {
      readonly kind: "localSteps";
      readonly block: VectorAddress;
      readonly beforehand: readonly RemoteTask[];
      readonly batch: StepBatch;
      readonly steps: UpdateSteps;
    }
  | { readonly kind: "local"; readonly task: RemoteTask }
  | {
      readonly kind: "evaluate";
      readonly parameters: Float32Array;
      readonly buffers: Float32Array;
      readonly indices: Uint32Array;
    };

type LocalSteps = Extract<Task, { kind: "localSteps" }>;

/** Losses by step; for an evaluation the sums over its examples: [loss, right answers], the latter NaN where there are none. */
export type TaskResult = Float64Array;

export class TrainingSession {
  readonly #setup: Setup;
  readonly #memories: readonly WebAssembly.Memory[];
  readonly #kernels: Map<number, Kernels> = new Map();
  readonly #replicas: Map<string, Replica> = new Map();
  readonly #sessions: Map<LoweredProgram, Promise<Session>> = new Map();
  readonly #scratch: Map<string, HostArray> = new Map();

  /** @param memories may get longer while the session lives */
  constructor(setup: Setup, memories: readonly WebAssembly.Memory[]) {
    this.#setup = setup;
    this.#memories = memories;
  }

  async run(task: Task): Promise<TaskResult> {
    switch (task.kind) {
      case "gradient": {
        const loss = await this.#gradient(this.#replica(task.block), task.batch, 0);
        for (const next of task.afterwards) this.#do(next);
        return Float64Array.of(loss);
      }
      case "update":
        for (const next of task.beforehand) this.#do(next);
        await this.#update(task, 0, task.gradients);
        return new Float64Array(0);
      case "localSteps":
        for (const next of task.beforehand) this.#do(next);
        return this.#setup.update.kind === "loop"
          ? this.#loopedSteps(this.#setup.update.loop, task)
          : this.#separateSteps(task);
      case "local":
        this.#do(task.task);
        return new Float64Array(0);
      case "evaluate":
        return this.#evaluate(task);
      default:
        return unreachable(task);
    }
  }

  #do({ operation, vectors, numbers }: RemoteTask): void {
    localOperations[operation](this.#vectors(vectors), numbers);
  }

  #vectors(addresses: Readonly<Record<string, VectorAddress>>): OperationVectors {
    const views = Object.entries(addresses).map(([name, address]) => [name, this.#vectorAt(address)]);
    return Object.fromEntries(views) as OperationVectors;
  }

  #vectorAt(address: VectorAddress): Float32Array {
    return viewAt(this.#memories, address) as Float32Array;
  }

  #replica(address: VectorAddress): Replica {
    const key = `${address.memory}:${address.byteOffset}`;
    let replica = this.#replicas.get(key);
    if (replica === undefined) {
      replica = replicaOver(this.#setup.replica, viewAt(this.#memories, address) as Float32Array);
      this.#replicas.set(key, replica);
    }
    return replica;
  }

  async #separateSteps(task: LocalSteps): Promise<TaskResult> {
    const { batch } = task;
    const replica = this.#replica(task.block);
    const losses = new Float64Array(batch.keys.length / 2);
    for (let step = 0; step < losses.length; step++) {
      losses[step] = await this.#gradient(replica, batch, step);
      await this.#update(task, step);
    }
    return losses;
  }

  /** Forward and backward for one step of a batch; minibatches add up their gradients, and buffers go from one to the next. */
  async #gradient(replica: Replica, { source, indices, keys }: StepBatch, step: number): Promise<number> {
    const { gradient: program, batchSize, minibatchSize, sources } = this.#setup;
    const session = await this.#session(program);
    const count = batchSize / minibatchSize;
    const partial = count === 1 ? replica.gradients : this.#floats("partial", replica.gradients.length);
    const { x, y } = this.#staging(program);
    const key = keys.subarray(2 * step, 2 * step + 2);
    const nextBuffers = this.#floats("next.buffers", replica.buffers.length);
    const loss = this.#floats("loss", 1);
    let total = 0;
    if (count > 1) replica.gradients.fill(0);
    for (let part = 0; part < count; part++) {
      const start = step * batchSize + part * minibatchSize;
      gather(sources[source]!, indices.subarray(start, start + minibatchSize), x, y);
      const partKey = part === 0 ? key : Uint32Array.of(key[0]!, key[1]! + part);
      const { parameters, buffers } = replica;
      await session.run(
        { parameters, x, y, key: partKey, ...(buffers.length > 0 ? { buffers } : {}) },
        { loss, gradients: partial, ...(buffers.length > 0 ? { buffers: nextBuffers } : {}) },
      );
      buffers.set(nextBuffers);
      total += loss[0]!;
      if (count > 1) for (let i = 0; i < partial.length; i++) replica.gradients[i]! += partial[i]! / count;
    }
    return total / count;
  }

  async #update(
    { block, steps }: Pick<LocalSteps, "block" | "steps">,
    step: number,
    address?: VectorAddress,
  ): Promise<void> {
    const { update } = this.#setup;
    const replica = this.#replica(block);
    const gradients = address === undefined ? replica.gradients : this.#vectorAt(address);
    if (update.kind !== "fused")
      return this.#updateByProgram(update.program, { ...replica, gradients }, steps as ScalarTable, step);
    const { parameters, slots } = replica;
    applyUpdate(this.#kernelsOf(block.memory), (steps as readonly FusedUpdate[])[step]!, {
      parameters,
      gradients,
      state: slots,
    });
  }

  #kernelsOf(memory: number): Kernels {
    let kernels = this.#kernels.get(memory);
    if (kernels === undefined) {
      kernels = createKernels(this.#memories[memory]!);
      this.#kernels.set(memory, kernels);
    }
    return kernels;
  }

  async #updateByProgram(
    program: LoweredProgram,
    replica: Replica,
    scalars: ScalarTable,
    step: number,
  ): Promise<void> {
    const session = await this.#session(program);
    const { parameters, gradients, slots } = replica;
    const inputs: Record<string, HostArray> = { parameters, gradients, ...prefixed("slots", slots) };
    const outputs: Record<string, Float32Array> = {
      parameters: this.#floats("next.parameters", parameters.length),
    };
    for (const [name, slot] of Object.entries(slots))
      outputs[`slots.${name}`] = this.#floats(`next.${name}`, slot.length);
    for (const [name, values] of Object.entries(scalars))
      inputs[`scalars.${name}`] = values.subarray(step, step + 1);
    await session.run(inputs, outputs);
    parameters.set(outputs.parameters!);
    for (const [name, slot] of Object.entries(slots)) slot.set(outputs[`slots.${name}`]!);
  }

  /** All steps in one call: the node's state goes in, stays inside the loop, and comes out once. */
  async #loopedSteps(
    program: LoweredProgram,
    { block, batch, steps: scalars }: LocalSteps,
  ): Promise<TaskResult> {
    const session = await this.#session(program);
    const { parameters, buffers, slots } = this.#replica(block);
    const count = batch.keys.length / 2;
    const { x, y } = this.#staging(program, count);
    gather(this.#setup.sources[batch.source]!, batch.indices, x, y);
    const state = { parameters, ...(buffers.length > 0 ? { buffers } : {}), ...prefixed("slots", slots) };
    const loss = new Float32Array(count);
    const inputs: Record<string, HostArray> = {
      ...prefixed("carry", state),
      "xs.x": x,
      "xs.y": y,
      "xs.key": batch.keys,
    };
    const outputs: Record<string, HostArray> = { "ys.loss": loss };
    for (const [name, values] of Object.entries(scalars as ScalarTable))
      inputs[`xs.scalars.${name}`] = values;
    for (const [name, vector] of Object.entries(state))
      outputs[`carry.${name}`] = this.#floats(`next.${name}`, vector.length);
    await session.run(inputs, outputs);
    for (const [name, vector] of Object.entries(state)) vector.set(outputs[`carry.${name}`] as Float32Array);
    return Float64Array.from(loss);
  }

  async #evaluate({
    parameters,
    buffers,
    indices,
  }: Extract<Task, { kind: "evaluate" }>): Promise<TaskResult> {
    const { evaluation } = this.#setup;
    invariant(evaluation, "evaluation data were set up");
    const chosen = evaluation.programs.find(({ batchSize }) => batchSize === indices.length);
    invariant(chosen, `an evaluation program for a batch of ${indices.length}`);
    const { program } = chosen;
    const session = await this.#session(program);
    const { x, y } = this.#staging(program);
    gather(evaluation.source, indices, x, y);
    const loss = this.#floats("loss", 1);
    const correct = this.#floats("correct", 1);
    const counts = program.outputs.some(({ name }) => name === "correct");
    await session.run(
      { parameters, x, y, key: new Uint32Array(2), ...(buffers.length > 0 ? { buffers } : {}) },
      { loss, ...(counts ? { correct } : {}) },
    );
    return Float64Array.of(loss[0]! * indices.length, counts ? correct[0]! : Number.NaN);
  }

  #session(program: LoweredProgram): Promise<Session> {
    let session = this.#sessions.get(program);
    if (session === undefined) {
      session = createSession(program, { intraOpThreads: 1 });
      this.#sessions.set(program, session);
    }
    return session;
  }

  /** Arrays for a program's x and y, for one batch or for all of a loop's. */
  #staging(
    program: LoweredProgram,
    steps = 1,
  ): { readonly x: Float32Array | Int32Array; readonly y: Int32Array } {
    const array = (name: string): Float32Array | Int32Array => {
      const { dtype, shape } = inputOf(program, name);
      const length = steps * shape.reduce((product, size) => product * Math.abs(size), 1);
      return dtype === "int32"
        ? this.#ints(`${name}.${length}`, length)
        : this.#floats(`${name}.${length}`, length);
    };
    return { x: array("x"), y: array("y") as Int32Array };
  }

  /** An array of this thread's own, made once a name. */
  #floats(name: string, length: number): Float32Array {
    const present = this.#scratch.get(name);
    if (present instanceof Float32Array && present.length === length) return present;
    const made = new Float32Array(length);
    this.#scratch.set(name, made);
    return made;
  }

  #ints(name: string, length: number): Int32Array {
    const present = this.#scratch.get(name);
    if (present instanceof Int32Array && present.length === length) return present;
    const made = new Int32Array(length);
    this.#scratch.set(name, made);
    return made;
  }
}

/** A batch input of a program, or of a loop's step. */
function inputOf(program: LoweredProgram, name: string): TensorSpec {
  const found = program.inputs.find((input) => input.name === name || input.name === `xs.${name}`);
  invariant(found, `the program takes ${name}`);
  return found;
}

const prefixed = <T>(prefix: string, values: Readonly<Record<string, T>>): Record<string, T> =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [`${prefix}.${name}`, value]));
