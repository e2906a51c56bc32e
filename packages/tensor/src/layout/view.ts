// Views: how a traced array lies in a tensor of the graph. Transposing, broadcasting, inserting unit axes and scaling
// by a number only change the view; a tensor is rearranged when an operation needs a definite order, and never before.
// A matrix product goes further: which operand comes first, hence the order of its axes, is chosen by its first reader.

import { invariant } from "@atoll/core";
import type { DType } from "../host.ts";
import { elementCount } from "../host.ts";

/** An axis of a tensor in the graph. Compared by identity; never of size 1. */
export interface Axis {
  readonly size: number;
}

export const newAxis = (size: number): Axis => ({ size });

/** A tensor of the graph: its name, and what its axes are, outermost first. */
export interface GraphTensor {
  readonly name: string;
  readonly axes: readonly Axis[];
}

/** Computes a tensor; its axes come out in the wanted order or as near as is free. */
export type Compute = (wanted: readonly Axis[]) => GraphTensor;

/** Computes factor · tensor + vector along one of its axes, where its operator can do that at no cost. */
export type AddBias = (along: Axis, bias: () => string, factor: number) => GraphTensor | undefined;

/** A tensor of the graph, or one that will be when somebody reads it. */
export class Buffer {
  readonly size: number;
  #addBias: AddBias | undefined;
  #tensor: GraphTensor | undefined;
  #compute: Compute | undefined;

  constructor(
    source: GraphTensor | { readonly axes: readonly Axis[]; readonly compute: Compute },
    addBias?: AddBias,
  ) {
    this.size = elementCount(source.axes.map((axis) => axis.size));
    this.#addBias = addBias;
    if ("compute" in source) this.#compute = source.compute;
    else this.#tensor = source;
  }

  /** How to add a vector on the way, unless others read the tensor as it is. */
  get addBias(): AddBias | undefined {
    return this.#addBias;
  }

  /** Tells that it has several readers: to compute it once more with a bias would then be more work, not less. */
  share(): void {
    this.#addBias = undefined;
  }

  /** Whether the order of the axes is still open. */
  get isDeferred(): boolean {
    return this.#tensor === undefined;
  }

  /** The tensor; if it is still open, in the order that `wanted` asks for or as near as is free. */
  resolve(wanted: readonly Axis[]): GraphTensor {
    if (this.#tensor === undefined) {
      invariant(this.#compute !== undefined, "a buffer is either a tensor or deferred");
      this.#tensor = this.#compute(wanted);
      this.#compute = undefined;
    }
    return this.#tensor;
  }
}

/** One number, everywhere. */
export interface Splat {
  readonly kind: "splat";
  readonly value: number;
  readonly shape: readonly number[];
  readonly dtype: DType;
}

/** A buffer seen with another shape: `axes[d]` is the buffer's axis behind dimension d, undefined where it repeats. */
export interface BufferView {
  readonly kind: "buffer";
  readonly buffer: Buffer;
  readonly shape: readonly number[];
  readonly axes: readonly (Axis | undefined)[];
  readonly dtype: DType;
  /** A factor not applied yet; 1 unless dtype is float32. */
  readonly scale: number;
}

export type View = Splat | BufferView;

export const splat = (value: number, dtype: DType, shape: readonly number[] = []): Splat => ({
  kind: "splat",
  value,
  shape,
  dtype,
});

/** `count` integers from 0. */
export const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/** A view of a tensor whose axes lie in the order `order` of the view's dimensions; others are repeated. */
export function viewOf(
  name: string,
  order: readonly number[],
  shape: readonly number[],
  dtype: DType,
  addBias?: AddBias,
): BufferView {
  const axes: (Axis | undefined)[] = shape.map(() => undefined);
  for (const d of order) axes[d] = newAxis(shape[d]!);
  const buffer = new Buffer({ name, axes: order.map((d) => axes[d]!) }, addBias);
  return { kind: "buffer", buffer, shape, axes, dtype, scale: 1 };
}

/** Multiplies by a number, later. */
export function scaleBy(view: View, factor: number): View {
  if (view.kind === "splat") return { ...view, value: Math.fround(view.value * factor) };
  return { ...view, scale: view.scale * factor };
}

/** Runs `f` on the view without its factor and scales the result: for functions that are linear in the view. */
export function linear(view: View, f: (unscaled: View) => View): View {
  if (view.kind === "splat" || view.scale === 1) return f(view);
  return scaleBy(f(withoutScale(view)), view.scale);
}

export const withoutScale = (view: BufferView): BufferView =>
  view.scale === 1 ? view : { ...view, scale: 1 };

/** The dimensions that have an axis, of those in `order`. */
export const realDimensions = (view: View, order: readonly number[] = range(view.shape.length)): number[] =>
  view.kind === "splat" ? [] : order.filter((d) => view.axes[d] !== undefined);

/** The axes behind the dimensions `order`, without the repeated ones. */
export const axesOf = (view: BufferView, order: readonly number[] = range(view.shape.length)): Axis[] =>
  realDimensions(view, order).map((d) => view.axes[d]!);

/** Inserts leading axes of size 1 up to the given rank. */
export function padRank(view: View, rank: number): View {
  const missing = rank - view.shape.length;
  if (missing <= 0) return view;
  const shape = [...range(missing).map(() => 1), ...view.shape];
  if (view.kind === "splat") return { ...view, shape };
  return { ...view, shape, axes: [...range(missing).map(() => undefined), ...view.axes] };
}

/** The shape that operands broadcast to, by NumPy's rule. */
export function broadcastShape(shapes: readonly (readonly number[])[]): number[] {
  const rank = Math.max(0, ...shapes.map((shape) => shape.length));
  return range(rank).map((d) => {
    const sizes = shapes.map((shape) => shape[d - rank + shape.length] ?? 1);
    return sizes.find((size) => size !== 1) ?? 1;
  });
}

/** The same view with unit axes repeated up to `shape`, which has the same rank. */
export const repeatTo = (view: View, shape: readonly number[]): View => ({ ...view, shape });
