// Sizes of pooling windows, and what follows from them; shared by the lowering and the simplifier.

import type { Window } from "../ir.ts";

/** How many windows fit along each pooled axis. */
export const windowCounts = (space: readonly number[], { window, strides }: Window): number[] =>
  space.map((size, i) => Math.ceil((size - window[i]! + 1) / strides[i]!));

/** Whether the windows cover the array exactly once. */
export const isTiling = (space: readonly number[], pooling: Window): boolean => {
  const counts = windowCounts(space, pooling);
  return space.every(
    (size, i) => pooling.window[i] === pooling.strides[i] && counts[i]! * pooling.window[i]! === size,
  );
};

/** The comparison repeats pooled rows by a product with a matrix as high as they are long: it pays up to this length. */
const COMPARED_WIDTH = 32;

/**
 * Whether the gradient of max pooling over the trailing axes of `shape` compares the elements with their window's
 * maximum; otherwise it takes the indices of the largest elements, whose search is slow.
 */
export const isCompared = (shape: readonly number[], pooling: Window): boolean => {
  const space = shape.slice(shape.length - pooling.window.length);
  return space.length === 2 && isTiling(space, pooling) && windowCounts(space, pooling)[1]! <= COMPARED_WIDTH;
};
