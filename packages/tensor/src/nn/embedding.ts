// A table of vectors, looked up by integer.

import type { Random } from "@atoll/core";
import type { Tensor } from "../borrow.ts";
import type { HostTensor } from "../host.ts";
import { take } from "../ops.ts";
import { normalTensor } from "./initializers.ts";

export type Embedding<T> = {
  /** [entries, features] */
  readonly weight: T;
};

/** Normal with the given standard deviation (1 is PyTorch's default). */
export const initEmbedding = (
  random: Random,
  {
    entries,
    features,
    standardDeviation = 1,
  }: {
    readonly entries: number;
    readonly features: number;
    readonly standardDeviation?: number;
  },
): Embedding<HostTensor> => ({ weight: normalTensor(random, [entries, features], standardDeviation) });

/** int32 [...] -> [..., features] */
export const embedding = ({ weight }: Embedding<Tensor>, indices: Tensor): Tensor => take(weight, indices);
