// The all-reduce algorithms by name, and which of them serves a call: the one asked for if it can, the topology's own if
// none was asked for, the fastest for "auto", by trial or by estimate.

import { unknownName } from "@atoll/core";
import type { Members, Schedule } from "../schedule.ts";
import { halvingDoublingAllReduce } from "./halvingDoublingAllReduce.ts";
import { hierarchicalAllReduce, islandsOf } from "./hierarchicalAllReduce.ts";
import { recursiveDoublingAllReduce } from "./recursiveDoublingAllReduce.ts";
import { ringAllReduce } from "./ringAllReduce.ts";
import { starAllReduce } from "./starAllReduce.ts";
import { treeAllReduce } from "./treeAllReduce.ts";

export type AllReduceAlgorithm =
  | "ring"
  | "halving-doubling"
  | "recursive-doubling"
  | "tree"
  | "star"
  | "hierarchical";

/** What a caller may ask for: an algorithm, the topology's own, or "auto" for the fastest, by trial or by estimate. */
export type AllReduceChoice = AllReduceAlgorithm | "topology" | "auto";

type Options = Members & { readonly length: number };

/** The schedule, or why there is none for these members. */
type Maker = (options: Options) => Schedule | string;

const powerOfTwo =
  (make: (options: Options) => Schedule): Maker =>
  (options) => {
    const size = options.ranks.length;
    return (size & (size - 1)) === 0 ? make(options) : `needs a power of two, not ${size} members`;
  };

const ALGORITHMS: Readonly<Record<AllReduceAlgorithm, Maker>> = {
  ring: ringAllReduce,
  "halving-doubling": powerOfTwo(halvingDoublingAllReduce),
  "recursive-doubling": powerOfTwo(recursiveDoublingAllReduce),
  tree: treeAllReduce,
  star: starAllReduce,
  hierarchical(options) {
    const islands = islandsOf(options.ranks, options.topology);
    if (islands === undefined) return `needs islands, not the topology ${options.topology.name}`;
    if (islands.length === 1) return "needs members of several islands";
    const uneven = islands.some((island) => island.length !== islands[0]!.length);
    return uneven ? "needs as many members of each island" : hierarchicalAllReduce({ ...options, islands });
  },
};

export const ALL_REDUCE_ALGORITHMS: readonly AllReduceAlgorithm[] = Object.keys(
  ALGORITHMS,
) as AllReduceAlgorithm[];

export const ALL_REDUCE_CHOICES: readonly AllReduceChoice[] = ["topology", "auto", ...ALL_REDUCE_ALGORITHMS];

/** @throws ConfigError for an unknown algorithm */
export function allReduce({
  algorithm,
  ...options
}: Options & { readonly algorithm?: AllReduceChoice | undefined }): Schedule {
  if (algorithm === undefined || algorithm === "topology") return byTopology(options);
  if (algorithm === "auto") return fastest(options);
  if (!Object.hasOwn(ALGORITHMS, algorithm))
    throw unknownName("all-reduce algorithm", algorithm, ALL_REDUCE_CHOICES);
  const made = ALGORITHMS[algorithm](options);
  if (typeof made !== "string") return made;
  const instead = byTopology(options);
  return {
    ...instead,
    algorithm: `${instead.algorithm} (${algorithm} ${made})`,
    fallback: `All-reduce among ${options.ranks.length} ranks goes by ${instead.algorithm}: ${algorithm} ${made}.`,
  };
}

const byTopology = (options: Options): Schedule =>
  options.topology.name === "star" ? starAllReduce(options) : ringAllReduce(options);

function fastest(options: Options): Schedule {
  const { tryOut } = options;
  const own = byTopology(options);
  if (tryOut === undefined) return { ...own, algorithm: `${own.algorithm} (auto)` };
  let best = own;
  let least: number = tryOut(own);
  for (const make of Object.values(ALGORITHMS)) {
    const made = make(options);
    const time = typeof made === "string" ? Number.POSITIVE_INFINITY : tryOut(made);
    if (typeof made === "string" || time >= least) continue;
    best = made;
    least = time;
  }
  return { ...best, algorithm: `${best.algorithm} (auto)` };
}
