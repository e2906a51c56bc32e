// Hierarchical all-reduce on islands: a reduce-scatter inside each island, an all-reduce of each shard among the members
// that have it, one an island, and an all-gather inside each island. Only 1/s of the vector leaves an island of s members.
// Source: Cho, Finkler, Serrano et al., "BlueConnect: decomposing all-reduce for deep learning on heterogeneous network
// hierarchy" (MLSys 2019), for two levels, with rings on both.
// Cost for m islands of s: 2(s−1)α + 2(s−1)/s · nβ inside, 2(m−1)α′ + 2(m−1)/m · n/s · β′ between.

import type { Rank } from "@atoll/core";
import type { Topology } from "@atoll/network";
import {
  type Action,
  createSchedule,
  evenChunks,
  type Members,
  type Round,
  roundOf,
  type Schedule,
} from "../schedule.ts";

/** Members by island, in order; undefined if the topology has no islands. */
export function islandsOf(
  ranks: readonly Rank[],
  topology: Topology,
): readonly (readonly number[])[] | undefined {
  const { island } = topology;
  if (island === undefined) return undefined;
  const islands = new Map<number, number[]>();
  ranks.forEach((rank, member) => {
    const own = islands.get(island(rank));
    if (own === undefined) islands.set(island(rank), [member]);
    else own.push(member);
  });
  return [...islands.values()];
}

export interface HierarchicalOptions extends Members {
  readonly length: number;
  /** Members of each island; all islands have as many. */
  readonly islands: readonly (readonly number[])[];
}

/** Shard j of s is m chunks long; in an island, member number j is responsible for it. */
export function hierarchicalAllReduce({ ranks, length, islands }: HierarchicalOptions): Schedule {
  const m = islands.length;
  const s = islands[0]!.length;
  const across = Array.from({ length: s }, (_, j) => islands.map((island) => island[j]!));
  const shard = (j: number): number => j * m;
  const inside = (action: Action, shift: number): Iterable<Round> =>
    rings(islands, action, (_, place, k) => [shard(modulo(place + shift - k, s)), m]);
  const between = (action: Action, shift: number): Iterable<Round> =>
    rings(across, action, (j, place, k) => [shard(j) + modulo(place + shift - k, m), 1]);
  return createSchedule({
    algorithm: "hierarchical",
    ranks,
    chunkStarts: evenChunks(length, m * s),
    initially: "whole",
    *rounds(): Generator<Round> {
      yield* inside("reduce", -1);
      yield* between("reduce", 0);
      yield* between("copy", 1);
      yield* inside("copy", 0);
    },
  });
}

const modulo = (a: number, n: number): number => ((a % n) + n) % n;

/** Several rings at once: in round k the member at a place of a ring sends chunks to the next one. */
function* rings(
  groups: readonly (readonly number[])[],
  action: Action,
  chunks: (group: number, place: number, k: number) => readonly [first: number, count: number],
): Generator<Round> {
  const size = groups[0]!.length;
  for (let k = 0; k < size - 1; k++)
    yield roundOf(
      action,
      groups.flatMap((members, group) =>
        members.map(
          (member, place) => [member, members[(place + 1) % size]!, ...chunks(group, place, k)] as const,
        ),
      ),
    );
}
