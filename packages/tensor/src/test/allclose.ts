// Tests' matcher for arrays: |got − expected| ≤ absolute + relative · |expected|, element by element, as numpy.allclose;
// NaN equals NaN. On failure it names the worst element.

import { expect } from "vitest";
import type { HostTensor } from "../host.ts";
import { flattenTree, type Tree } from "../tree.ts";

export interface Tolerance {
  readonly relative?: number;
  readonly absolute?: number;
}

interface ArrayMatchers<R> {
  toBeAllclose(expected: Tree<HostTensor>, tolerance?: Tolerance): R;
}

declare module "vitest" {
  interface Matchers<R extends void | Promise<void> = void | Promise<void>, T = unknown>
    extends ArrayMatchers<R> {}
}

/** The first leaf that differs, in words; undefined if none does. */
function difference(
  got: Tree<HostTensor>,
  expected: Tree<HostTensor>,
  { relative = 1e-4, absolute = 1e-5 }: Tolerance,
): string | undefined {
  const [left, right] = [flattenTree(got), flattenTree(expected)];
  const paths = (entries: typeof left): string => entries.map(({ path }) => path).join();
  if (paths(left) !== paths(right)) return `expected leaves ${paths(right)}, got ${paths(left)}`;
  for (const [i, { path, leaf }] of left.entries()) {
    const other = right[i]!.leaf;
    if (leaf.shape.join() !== other.shape.join() || leaf.data.constructor !== other.data.constructor)
      return `${path}: expected ${other.data.constructor.name}[${other.shape}], got ${leaf.data.constructor.name}[${leaf.shape}]`;
    const worst = worstElement(leaf, other, relative, absolute);
    if (worst !== undefined)
      return `${path}[${worst}]: expected ${other.data[worst]}, got ${leaf.data[worst]} (shape [${leaf.shape}])`;
  }
  return undefined;
}

function worstElement(
  { data }: HostTensor,
  { data: expected }: HostTensor,
  relative: number,
  absolute: number,
): number | undefined {
  let worst: number | undefined;
  let largest = 1;
  for (const [j, value] of data.entries()) {
    const goal = expected[j]!;
    if (Object.is(value, goal) || value === goal) continue;
    const excess = Math.abs(value - goal) / (absolute + relative * Math.abs(goal));
    if (excess <= largest) continue; // NaN compares as false, so it counts as the worst.
    worst = j;
    largest = Number.isNaN(excess) ? Number.POSITIVE_INFINITY : excess;
  }
  return worst;
}

expect.extend({
  toBeAllclose(got: Tree<HostTensor>, expected: Tree<HostTensor>, tolerance: Tolerance = {}) {
    const found = difference(got, expected, tolerance);
    return {
      pass: found === undefined,
      message: () => found ?? "expected the arrays to differ",
    };
  },
});
