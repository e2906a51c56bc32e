// Who sends to whom in a recorded collective. Events hold what each member sent, not to whom; the schedule that carried it out
// is made again by its name, for a vector of a nominal length, and divides each member's bytes over its partners.

import { ALL_REDUCE_ALGORITHMS, bytesSentBy, type Call, int8, type Schedule, scheduleOf } from "@atoll/comm";
import type { CollectiveDone } from "@atoll/core";
import { type Topology, transferBytes } from "@atoll/network";

/** From one rank to another, a part of all that the first one sends in the collective. */
export interface Flow {
  readonly source: number;
  readonly target: number;
  readonly part: number;
}

/** Elements a member of the nominal vector. */
const ELEMENTS = 64;

/**
 * The flows of a collective, with parts as they are when all members bring equally much.
 * @returns null where the event names no schedule that this version knows
 */
export function flowsOf(event: CollectiveDone, topology: Topology): readonly Flow[] | null {
  const { operation, ranks } = event;
  if (operation === "send") return [{ source: ranks[0]!, target: ranks[1]!, part: 1 }];
  const schedule = scheduleAgain(event, topology);
  if (schedule === null) return null;
  const size = ranks.length;
  const bytes = new Map<number, number>();
  for (const round of schedule.rounds()) {
    const { sources, targets } = round;
    for (let i = 0; i < sources.length; i++) {
      const pair = sources[i]! * size + targets[i]!;
      bytes.set(pair, (bytes.get(pair) ?? 0) + transferBytes(schedule.chunkBytes, round, i));
    }
  }
  const sent = bytesSentBy(schedule);
  return [...bytes].map(([pair, amount]) => {
    const source = Math.floor(pair / size);
    const part = sent[source] === 0 ? 0 : amount / sent[source]!;
    return { source: ranks[source]!, target: ranks[pair % size]!, part };
  });
}

function scheduleAgain(
  { operation, algorithm, ranks, bytes }: CollectiveDone,
  topology: Topology,
): Schedule | null {
  const members = { ranks, topology };
  const size = ranks.length;
  const length = size * ELEMENTS;
  const each = Array.from({ length: size }, () => ELEMENTS);
  switch (operation) {
    case "allReduce": {
      const name = algorithm.split(" (")[0]!;
      const known = ALL_REDUCE_ALGORITHMS.find((candidate) => candidate === name);
      // What is sent to whom does not depend on the codec.
      const codec = known === undefined && algorithm.startsWith("all-to-all and ring") ? int8() : undefined;
      if (known === undefined && codec === undefined) return null;
      const call: Call = { operation, length, op: "sum", algorithm: known, codec };
      return scheduleOf(call, [], members);
    }
    case "reduceScatter":
      return scheduleOf({ operation, length, op: "sum" }, [], members);
    case "allGather":
      return scheduleOf({ operation, length }, each, members);
    case "allToAll":
      return scheduleOf(
        { operation, length },
        Array.from({ length: size * size }, () => ELEMENTS),
        members,
      );
    case "gather":
      return scheduleOf({ operation, length, root: Math.max(0, bytes.indexOf(0)) }, each, members);
    case "broadcast":
      return broadcastAgain(bytes, (root) => scheduleOf({ operation, length, root }, [], members));
    default:
      return null;
  }
}

/** Roots that are tried; of larger groups another root is taken for rank 0. */
const MOST_ROOTS = 64;

/** The root is not recorded: it is the first with which the members send in the recorded proportion. */
function broadcastAgain(bytes: readonly number[], make: (root: number) => Schedule): Schedule {
  const unit = Math.max(...bytes);
  const fits = (schedule: Schedule): boolean => {
    const sent = bytesSentBy(schedule);
    const most = sent.reduce((a, b) => Math.max(a, b), 0);
    return sent.every((amount, member) => Math.abs(amount / most - bytes[member]! / unit) < 1e-6);
  };
  const first = make(0);
  if (fits(first)) return first;
  for (let root = 1; root < Math.min(bytes.length, MOST_ROOTS); root++) {
    const schedule = make(root);
    if (fits(schedule)) return schedule;
  }
  return first;
}
