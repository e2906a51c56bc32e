// Initial values of parameters, drawn on the host from a named random stream.

import type { Random } from "@atoll/core";
import { elementCount, type HostTensor } from "../host.ts";

/** Uniform on [−bound, bound). */
export function uniformTensor(random: Random, shape: readonly number[], bound: number): HostTensor {
  const draw = () => (2 * random.uniform() - 1) * bound;
  return { shape, data: Float32Array.from({ length: elementCount(shape) }, draw) };
}

/** Normal with mean 0. */
export function normalTensor(
  random: Random,
  shape: readonly number[],
  standardDeviation: number,
): HostTensor {
  const draw = () => random.normal() * standardDeviation;
  return { shape, data: Float32Array.from({ length: elementCount(shape) }, draw) };
}

export const filledTensor = (shape: readonly number[], value: number): HostTensor => ({
  shape,
  data: new Float32Array(elementCount(shape)).fill(value),
});
