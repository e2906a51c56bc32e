// A tree of float32 tensors packed into one flat vector: parameters, gradients, optimizer state. One vector instead of a
// hundred and sixty tensors makes a step's inputs and outputs cheap, an optimizer a single pass, and a message between
// nodes a single array.

import { ConfigError } from "@atoll/core";
import type { Tensor } from "./borrow.ts";
import { elementCount, type HostTensor } from "./host.ts";
import { concatenate, reshape, split } from "./ops.ts";
import { flattenTree, leafAt, type Tree, unflattenTree } from "./tree.ts";

export interface VectorEntry {
  readonly path: string;
  readonly shape: readonly number[];
  /** Index of the first element in the vector. */
  readonly offset: number;
  readonly size: number;
}

/** Where each tensor of a tree lies in its vector. Plain data, so it can be posted to workers and written as JSON. */
export interface VectorLayout {
  /** By offset, without gaps. */
  readonly entries: readonly VectorEntry[];
  readonly size: number;
  /** Tensors with two axes or more come first and fill [0, matrixSize): what weight decay is often restricted to. */
  readonly matrixSize: number;
}

/**
 * Lays out a tree of tensors (or of anything with a shape): matrices and tensors of more axes first, then vectors and
 * scalars, each in tree order.
 */
export function layoutOf(tree: Tree<{ readonly shape: readonly number[] }>): VectorLayout {
  const leaves = flattenTree(tree).map(({ path, leaf }) => ({ path, shape: [...leaf.shape] }));
  const matrices = leaves.filter(({ shape }) => shape.length >= 2);
  const others = leaves.filter(({ shape }) => shape.length < 2);
  const entries: VectorEntry[] = [];
  let offset = 0;
  for (const { path, shape } of [...matrices, ...others]) {
    const size = elementCount(shape);
    entries.push({ path, shape, offset, size });
    offset += size;
  }
  const matrixSize = entries[matrices.length]?.offset ?? offset;
  return { entries, size: offset, matrixSize };
}

/**
 * Copies the tensors of a tree into one vector, a new one by default. Float32Array [layout.size]
 * @throws ConfigError if a tensor is not float32 or has another shape than the layout says.
 */
export function pack(
  tree: Tree<HostTensor>,
  layout: VectorLayout,
  into: Float32Array = new Float32Array(layout.size),
): Float32Array {
  for (const { path, shape, offset, size } of layout.entries) {
    const tensor = leafAt(tree, path);
    if (!(tensor.data instanceof Float32Array) || tensor.data.length !== size)
      throw new ConfigError(
        `Cannot pack "${path}": expected float32 [${shape}], got ${tensor.data.constructor.name} with ${tensor.data.length} elements and shape [${tensor.shape}].`,
      );
    into.set(tensor.data, offset);
  }
  return into;
}

/** The tree of tensors that lie in a vector, without copying: writing to one writes to the vector. */
export function viewsOf(vector: Float32Array, layout: VectorLayout): Tree<HostTensor> {
  return unflattenTree(
    layout.entries.map(({ path, shape, offset, size }) => ({
      path,
      leaf: { shape, data: vector.subarray(offset, offset + size) },
    })),
  );
}

/** `viewsOf` for traced code; its gradient is the packed gradient. [layout.size] -> tree */
export function unpack(vector: Tensor, layout: VectorLayout): Tree<Tensor> {
  if (layout.entries.length === 0) return {};
  const parts = split(
    vector,
    layout.entries.map(({ size }) => size),
  );
  return unflattenTree(
    layout.entries.map(({ path, shape }, index) => ({ path, leaf: reshape(parts[index]!, shape) })),
  );
}

/** `pack` for traced code. tree -> [layout.size] */
export const packTraced = (tree: Tree<Tensor>, layout: VectorLayout): Tensor =>
  concatenate(layout.entries.map(({ path, size }) => reshape(leafAt(tree, path), [size])));
