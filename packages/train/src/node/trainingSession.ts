// What a worker thread does for the nodes: gathers batches, runs programs, applies updates, all on vectors in shared
// memory that it was handed. One instance a thread; it does one task at a time.

import { isDeepStrictEqual } from "node:util";
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
import { squaredNorm } from "../compressors/encoding.ts";
import { gather } from "../data/dataset.ts";
import { localOperations } from "../localOperations.ts";
import type { OperationVectors } from "../localTask.ts";
import { type Replica, replicaOver } from "../replica.ts";
import {
  type LocalSteps,
  type LoopedSteps,
  partOf,
  type RemoteTask,
  type ScalarTable,
  type Setup,
  type StepExamples,
  type Task,
  type TaskResult,
} from "./trainingTasks.ts";

/** Views of one memory that are kept. */
const MOST_VIEWS = 10_000;

export class TrainingSession {
  readonly #setup: Setup;
  readonly #memories: readonly WebAssembly.Memory[];
  readonly #kernels: Map<number, Kernels> = new Map();
  readonly #replicas: Map<string, Replica> = new Map();
  /** By memory, and by where they begin. */
  readonly #views: Map<number, Map<number, Float32Array>> = new Map();
  readonly #sessions: Map<LoweredProgram, Promise<Session>> = new Map();
  readonly #scratch: Map<string, HostArray> = new Map();

  /**
   * @param memories may get longer while the session lives
   * @param before the one of the run before, which is not used any more: what it has loaded of the same programs goes on
   */
  constructor(setup: Setup, memories: readonly WebAssembly.Memory[], before?: TrainingSession) {
    this.#setup = setup;
    this.#memories = memories;
    for (const program of before === undefined ? [] : programsOf(setup)) {
      const loaded = before!.#loaded(program);
      if (loaded !== undefined) this.#sessions.set(program, loaded);
    }
  }

  async run(task: Task): Promise<TaskResult> {
    switch (task.kind) {
      case "gradient": {
        const replica = this.#replica(task.block);
        const loss = await this.#gradient(replica, task.batch, 0);
        const norms = task.normsOf.map(() => normOf(replica));
        for (const next of task.afterwards) this.#do(next);
        return Float64Array.of(loss, ...norms);
      }
      case "update":
        for (const next of task.beforehand) this.#do(next);
        await this.#update(task, 0, task.gradients);
        return new Float64Array(0);
      case "localSteps":
        return this.#localSteps(task);
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
    const vectors: Record<string, Float32Array> = {};
    for (const [name, address] of Object.entries(addresses)) vectors[name] = this.#vectorAt(address);
    return vectors as OperationVectors;
  }

  /** Views are kept: a view takes longer to make than some of what is done with it. */
  #vectorAt(address: VectorAddress): Float32Array {
    const { memory, byteOffset, length } = address;
    const views = this.#views.get(memory) ?? new Map<number, Float32Array>();
    const kept = views.get(byteOffset);
    if (kept?.length === length) return kept;
    const view = viewAt(this.#memories, address) as Float32Array;
    if (views.size === MOST_VIEWS) views.clear();
    this.#views.set(memory, views.set(byteOffset, view));
    return view;
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

  async #localSteps(task: LocalSteps): Promise<TaskResult> {
    const { update } = this.#setup;
    for (const next of task.beforehand) this.#do(next);
    const result = await (update.kind === "loop"
      ? this.#loopedRuns(update.loop, task)
      : this.#separateSteps(task));
    for (const next of task.afterwards) this.#do(next);
    return result;
  }

  async #separateSteps(task: LocalSteps): Promise<TaskResult> {
    const { batch, normsOf } = task;
    const replica = this.#replica(task.block);
    const losses = new Float64Array(batch.keys.length / 2);
    const norms: number[] = [];
    for (let step = 0; step < losses.length; step++) {
      losses[step] = await this.#gradient(replica, batch, step);
      if (normsOf.includes(step)) norms.push(normOf(replica));
      await this.#update(task, step);
    }
    return Float64Array.of(...losses, ...norms);
  }

  /** Forward and backward for one step of a batch; minibatches add up their gradients, and buffers go from one to the next. */
  async #gradient(replica: Replica, { source, indices, keys }: StepExamples, step: number): Promise<number> {
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

  /**
   * The loop gives no gradients, and another program would not give the same bits. So it is cut before each step whose norm
   * is wanted, which changes nothing, and that step's gradient is computed once more by itself.
   */
  async #loopedRuns(program: LoweredProgram, task: LocalSteps): Promise<TaskResult> {
    const { block, batch, normsOf } = task;
    const replica = this.#replica(block);
    const count = batch.keys.length / 2;
    const losses: number[] = [];
    const norms: number[] = [];
    const cuts = [...normsOf.filter((step) => step > 0), count];
    for (let start = 0; start < count; ) {
      const end = cuts.find((cut) => cut > start)!;
      if (normsOf.includes(start)) norms.push(await this.#normAlone(replica, batch, start));
      losses.push(...(await this.#loopedSteps(program, partOf(task, start, end))));
      start = end;
    }
    return Float64Array.of(...losses, ...norms);
  }

  /** The norm of a step's gradient, without a trace of having computed it. */
  async #normAlone(replica: Replica, batch: StepExamples, step: number): Promise<number> {
    const buffers = replica.buffers.slice();
    await this.#gradient(replica, batch, step);
    const norm = normOf(replica);
    replica.buffers.set(buffers);
    replica.gradients.fill(0);
    return norm;
  }

  /** All steps in one call: the node's state goes in, stays inside the loop, and comes out once. */
  async #loopedSteps(
    program: LoweredProgram,
    { block, batch, steps: scalars }: LoopedSteps,
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

  /** The session of an equal program, if there is one: loading a small one takes longer than hundreds of its steps. */
  #loaded(program: LoweredProgram): Promise<Session> | undefined {
    for (const [known, session] of this.#sessions) if (isSame(known, program)) return session;
    return undefined;
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

/** All programs that a run may need. */
const programsOf = ({ gradient, update, evaluation }: Setup): readonly LoweredProgram[] => [
  gradient,
  ...(update.kind === "fused" ? [] : [update.program]),
  ...(update.kind === "loop" ? [update.loop] : []),
  ...(evaluation?.programs.map(({ program }) => program) ?? []),
];

const isSame = (a: LoweredProgram, b: LoweredProgram): boolean =>
  Buffer.compare(a.bytes, b.bytes) === 0 && isDeepStrictEqual([a.inputs, a.outputs], [b.inputs, b.outputs]);

const normOf = ({ gradients }: Replica): number => Math.sqrt(squaredNorm(gradients));

/** A batch input of a program, or of a loop's step. */
function inputOf(program: LoweredProgram, name: string): TensorSpec {
  const found = program.inputs.find((input) => input.name === name || input.name === `xs.${name}`);
  invariant(found, `the program takes ${name}`);
  return found;
}

const prefixed = <T>(prefix: string, values: Readonly<Record<string, T>>): Record<string, T> =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [`${prefix}.${name}`, value]));
