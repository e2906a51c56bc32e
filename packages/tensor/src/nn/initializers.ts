// Initial values of parameters, drawn on the host from a named random stream.

import type { Random } from "@atoll/core";
import { elementCount, type HostTensor } from "../host.ts";

/** Uniform on [−bound, bound). */
export function uniformTensor(random: Random, shape: readonly number[], bound: number): HostTensor {
  return filledBy(shape, () => (2 * random.uniform() - 1) * bound);
}

/** Normal with mean 0. */
export function normalTensor(
  random: Random,
  shape: readonly number[],
  standardDeviation: number,
): HostTensor {
  return filledBy(shape, () => random.normal() * standardDeviation);
}

export const filledTensor = (shape: readonly number[], value: number): HostTensor => ({
  shape,
  data: new Float32Array(elementCount(shape)).fill(value),
});

function filledBy(shape: readonly number[], draw: () => number): HostTensor {
  const data = new Float32Array(elementCount(shape));
  for (let i = 0; i < data.length; i++) data[i] = draw();
  return { shape, data };
}
