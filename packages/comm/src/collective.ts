// A collective as its members call it, and the schedule that carries it out on a given topology.

import { type Rank, RunError, unreachable } from "@atoll/core";
import { listed } from "@atoll/network";
import type { Codec } from "./codec.ts";
import type { Members, Schedule } from "./schedule.ts";
import { type AllReduceChoice, allReduce } from "./schedules/allReduce.ts";
import { allToAll } from "./schedules/allToAll.ts";
import { codedAllReduce } from "./schedules/codedAllReduce.ts";
import { directGather } from "./schedules/directGather.ts";
import { disseminationBarrier } from "./schedules/disseminationBarrier.ts";
import { ringAllGather } from "./schedules/ringAllGather.ts";
import { ringBroadcast } from "./schedules/ringBroadcast.ts";
import { ringReduceScatter } from "./schedules/ringReduceScatter.ts";
import { starBarrier } from "./schedules/starBarrier.ts";
import { starBroadcast } from "./schedules/starBroadcast.ts";
import { treeBroadcast } from "./schedules/treeBroadcast.ts";

export const REDUCE_OPS = ["sum", "mean"] as const;
export type ReduceOp = (typeof REDUCE_OPS)[number];

/** One member's call. Lengths are in elements; `root` is a member's number. */
export type Call =
  | {
      readonly operation: "allReduce";
      readonly length: number;
      readonly op: ReduceOp;
      readonly algorithm?: AllReduceChoice | undefined;
      readonly codec?: Codec | undefined;
      /** Whether the result is handed out, instead of replacing what the member brings. */
      readonly apart?: boolean | undefined;
      /** Whether what the member brings may be changed all the same. */
      readonly lent?: boolean | undefined;
    }
  | { readonly operation: "reduceScatter"; readonly length: number; readonly op: ReduceOp }
  | { readonly operation: "broadcast"; readonly length: number; readonly root: number }
  | { readonly operation: "allGather"; readonly length: number; readonly lent?: boolean | undefined }
  | { readonly operation: "allToAll"; readonly length: number }
  | { readonly operation: "gather"; readonly length: number; readonly root: number }
  | { readonly operation: "barrier"; readonly length: 0 };

/**
 * A call that leaves the algorithm open takes the world's; the topology's own needs no name, in errors neither.
 * @param warn is told that an all-reduce with a codec goes by none
 */
export function withAlgorithm(
  call: Call,
  algorithm: AllReduceChoice | undefined,
  warn: (message: string) => void,
): Call {
  const isOpen = call.operation === "allReduce" && call.algorithm === undefined;
  if (!isOpen || algorithm === undefined || algorithm === "topology") return call;
  if (call.codec === undefined) return { ...call, algorithm };
  warn(
    `All-reduces encoded as ${call.codec.name} do not go by ${algorithm}: every member sums one shard and sends it around a ring.`,
  );
  return call;
}

/** "allReduce(mean of 1000 floats)": what an error says of a call. */
export function describeCall(call: Call): string {
  switch (call.operation) {
    case "allReduce": {
      const algorithm = call.algorithm === undefined ? "" : `, ${call.algorithm}`;
      const codec = call.codec === undefined ? "" : `, ${call.codec.name}`;
      return `allReduce(${call.op} of ${call.length} floats${algorithm}${codec})`;
    }
    case "reduceScatter":
      return `reduceScatter(${call.op} of ${call.length} floats)`;
    case "broadcast":
      return `broadcast(${call.length} floats from member ${call.root})`;
    case "allGather":
      return `allGather(${call.length} floats)`;
    case "allToAll":
      return `allToAll(${call.length} floats)`;
    case "gather":
      return `gather(${call.length} floats to member ${call.root})`;
    case "barrier":
      return "barrier()";
    default:
      return unreachable(call);
  }
}

/** What members' calls have to have in common to meet in one collective; where each gives a part of its own, lengths may differ. */
export function meetingKey(call: Call): string {
  if (call.operation === "allGather" || call.operation === "allToAll") return call.operation;
  if (call.operation === "gather") return `gather to member ${call.root}`;
  return describeCall(call);
}

/** Whether two members' calls can meet in one collective. */
export const callsMatch = (a: Call, b: Call): boolean => meetingKey(a) === meetingKey(b);

/** A call as an error tells of it. */
export interface ToldCall {
  readonly rank: Rank;
  readonly text: string;
}

/** @param number place in the group's sequence of calls, from 1 */
export const mismatch = (
  number: number,
  ranks: readonly Rank[],
  first: ToldCall,
  other: ToldCall,
): RunError =>
  new RunError(
    `Collective #${number} of ${listed("rank", ranks)}: rank ${first.rank} calls ${first.text}, ` +
      `rank ${other.rank} calls ${other.text}. All members have to make the same calls in the same order.`,
  );

/**
 * The schedule that fits the topology: through the hub of a star, around a ring, and where every two nodes share a link
 * around a ring for all-reduce, as a tree for broadcast. An all-reduce may name its algorithm.
 * @param lengths each member's part, in elements; for all-to-all, one a pair, all those of member 0 first
 */
export function scheduleOf(call: Call, lengths: readonly number[], members: Members): Schedule {
  const shape = members.topology.name;
  switch (call.operation) {
    case "allReduce":
      return call.codec === undefined
        ? allReduce({ ...members, length: call.length, algorithm: call.algorithm })
        : codedAllReduce({ ...members, length: call.length, codec: call.codec });
    case "reduceScatter":
      return ringReduceScatter({ ...members, length: call.length });
    case "broadcast": {
      const options = { ...members, length: call.length, root: call.root };
      if (shape === "star") return starBroadcast(options);
      return shape === "ring" ? ringBroadcast(options) : treeBroadcast(options);
    }
    case "allGather":
      return ringAllGather({ ...members, lengths });
    case "allToAll":
      return allToAll({ ...members, lengths });
    case "gather":
      return directGather({ ...members, lengths, root: call.root });
    case "barrier":
      return shape === "star" ? starBarrier(members) : disseminationBarrier(members);
    default:
      return unreachable(call);
  }
}
