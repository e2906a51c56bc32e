// The functions of a run that are traced: a forward and backward pass, the optimizer's update, a whole local step, and
// evaluation. Parameters, gradients, optimizer slots and buffers are flat vectors in all of them; `buffers` is there
// only for models that have any.

import {
  add,
  type HostTensor,
  type Optimizer,
  packTraced,
  type Tensor,
  unpack,
  type VectorLayout,
  valueAndGradWithAux,
} from "@atoll/tensor";
import type { Model } from "./models/index.ts";

export interface ProgramParts {
  readonly model: Model;
  readonly optimizer: Optimizer;
  readonly layout: VectorLayout;
  readonly bufferLayout: VectorLayout;
}

/** x [batch, …], y [batch, …], key [2] for dropout. */
type Batch<T> = {
  readonly x: T;
  readonly y: T;
  readonly key: T;
};

type Weights<T> = {
  readonly parameters: T; // [P]
  readonly buffers?: T; // [B]
};

/** The optimizer's state vectors and the numbers of one update, by name. */
type Update<T> = {
  readonly slots: Readonly<Record<string, T>>; // each [P]
  readonly scalars: Readonly<Record<string, T>>; // each []
};

interface Gradient {
  readonly loss: Tensor; // []
  readonly gradients: Tensor; // [P]
  readonly buffers?: Tensor; // [B]
}

/** A function together with an example of its argument: what the compiler takes. */
export interface Traceable<A, R, E> {
  readonly f: (args: A) => R;
  readonly example: E;
}

const float = (...shape: number[]): HostTensor => ({ shape, data: new Float32Array(size(shape)) });
const size = (shape: readonly number[]): number => shape.reduce((product, length) => product * length, 1);

const exampleBatch = ({ example }: Model, batchSize: number): Batch<HostTensor> => {
  const host = ({ shape, dtype }: { shape: readonly number[]; dtype: string }): HostTensor => {
    const full = [batchSize, ...shape];
    return {
      shape: full,
      data: dtype === "int32" ? new Int32Array(size(full)) : new Float32Array(size(full)),
    };
  };
  return { x: host(example.x), y: host(example.y), key: { shape: [2], data: new Uint32Array(2) } };
};

const exampleWeights = ({ layout, bufferLayout }: ProgramParts): Weights<HostTensor> => ({
  parameters: float(layout.size),
  ...(bufferLayout.size > 0 ? { buffers: float(bufferLayout.size) } : {}),
});

const exampleUpdate = ({ optimizer, layout }: ProgramParts): Update<HostTensor> => ({
  slots: Object.fromEntries(optimizer.slots.map((slot) => [slot, float(layout.size)])),
  scalars: Object.fromEntries(Object.keys(optimizer.scalars(0)).map((name) => [name, float()])),
});

const buffersOf = ({ bufferLayout }: ProgramParts, buffers: Tensor | undefined): ReturnType<typeof unpack> =>
  buffers === undefined ? {} : unpack(buffers, bufferLayout);

function gradientOf(
  parts: ProgramParts,
  { parameters, buffers, x, y, key }: Weights<Tensor> & Batch<Tensor>,
): Gradient {
  const { model, layout, bufferLayout } = parts;
  const lossOf = (vector: Tensor): [Tensor, { readonly buffers?: Tensor }] => {
    const context = { training: true, buffers: buffersOf(parts, buffers), key };
    const { logits, buffers: next } = model.apply(unpack(vector, layout), x, context);
    return [model.loss(logits, y), buffers === undefined ? {} : { buffers: packTraced(next, bufferLayout) }];
  };
  const [loss, gradients, after] = valueAndGradWithAux(lossOf)(parameters);
  return { loss, gradients, ...after };
}

/** Forward and backward over one minibatch: the mean loss, its gradients and the new buffers. */
export function gradientFunction(
  parts: ProgramParts,
  batchSize: number,
): Traceable<Weights<Tensor> & Batch<Tensor>, Gradient, Weights<HostTensor> & Batch<HostTensor>> {
  return {
    f: (args) => gradientOf(parts, args),
    example: { ...exampleWeights(parts), ...exampleBatch(parts.model, batchSize) },
  };
}

interface Updated<T> {
  readonly parameters: T;
  readonly slots: Readonly<Record<string, T>>;
}

function updateOf(
  { optimizer, layout }: ProgramParts,
  parameters: Tensor,
  gradients: Tensor,
  { slots, scalars }: Update<Tensor>,
): Updated<Tensor> {
  const { updates, state } = optimizer.update(gradients, slots, parameters, scalars, layout);
  return { parameters: add(parameters, updates), slots: state };
}

/** The optimizer's step. */
export function updateFunction(
  parts: ProgramParts,
): Traceable<
  Update<Tensor> & { parameters: Tensor; gradients: Tensor },
  Updated<Tensor>,
  Update<HostTensor> & { parameters: HostTensor; gradients: HostTensor }
> {
  const { size: length } = parts.layout;
  return {
    f: ({ parameters, gradients, ...update }) => updateOf(parts, parameters, gradients, update),
    example: { parameters: float(length), gradients: float(length), ...exampleUpdate(parts) },
  };
}

type Carry<T> = Weights<T> & Pick<Update<T>, "slots">;
type StepInput<T> = Batch<T> & Pick<Update<T>, "scalars">;

/** One local step, gradient and update, as the body of a loop over steps: the carry is the node's state, y the loss. */
export function localStepFunction(
  parts: ProgramParts,
  batchSize: number,
): {
  readonly step: (args: { readonly carry: Carry<Tensor>; readonly x: StepInput<Tensor> }) => {
    carry: Carry<Tensor>;
    y: { loss: Tensor };
  };
  readonly example: { readonly carry: Carry<HostTensor>; readonly x: StepInput<HostTensor> };
} {
  const { slots, scalars } = exampleUpdate(parts);
  return {
    step({ carry: { slots: before, ...weights }, x: { scalars: numbers, ...batch } }) {
      const { loss, gradients, buffers } = gradientOf(parts, { ...weights, ...batch });
      const after = updateOf(parts, weights.parameters, gradients, { slots: before, scalars: numbers });
      return { carry: { ...after, ...(buffers === undefined ? {} : { buffers }) }, y: { loss } };
    },
    example: {
      carry: { ...exampleWeights(parts), slots },
      x: { ...exampleBatch(parts.model, batchSize), scalars },
    },
  };
}

interface Scores {
  /** Mean over the batch. */
  readonly loss: Tensor; // []
  /** Right answers in the batch. */
  readonly correct?: Tensor; // []
}

/** Loss and right answers of one batch in evaluation mode. */
export function evaluationFunction(
  parts: ProgramParts,
  batchSize: number,
): Traceable<Weights<Tensor> & Batch<Tensor>, Scores, Weights<HostTensor> & Batch<HostTensor>> {
  const { model, layout } = parts;
  return {
    f({ parameters, buffers, x, y, key }) {
      const context = { training: false, buffers: buffersOf(parts, buffers), key };
      const { logits } = model.apply(unpack(parameters, layout), x, context);
      const loss = model.loss(logits, y);
      return model.correct === undefined ? { loss } : { loss, correct: model.correct(logits, y) };
    },
    example: { ...exampleWeights(parts), ...exampleBatch(model, batchSize) },
  };
}
