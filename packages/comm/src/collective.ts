// A collective as its members call it, and the schedule that carries it out on a given topology.

import { unreachable } from "@atoll/core";
import type { Members, Schedule } from "./schedule.ts";
import { disseminationBarrier } from "./schedules/disseminationBarrier.ts";
import { ringAllGather } from "./schedules/ringAllGather.ts";
import { ringAllReduce } from "./schedules/ringAllReduce.ts";
import { ringBroadcast } from "./schedules/ringBroadcast.ts";
import { starAllReduce } from "./schedules/starAllReduce.ts";
import { starBarrier } from "./schedules/starBarrier.ts";
import { starBroadcast } from "./schedules/starBroadcast.ts";
import { treeBroadcast } from "./schedules/treeBroadcast.ts";

export type ReduceOp = "sum" | "mean";

/** One member's call. Lengths are in elements; `root` is a member's number. */
export type Call =
  | { readonly operation: "allReduce"; readonly length: number; readonly op: ReduceOp }
  | { readonly operation: "broadcast"; readonly length: number; readonly root: number }
  | { readonly operation: "allGather"; readonly length: number }
  | { readonly operation: "barrier"; readonly length: 0 };

/** "allReduce(mean of 1000 floats)": what an error says of a call. */
export function describeCall(call: Call): string {
  switch (call.operation) {
    case "allReduce":
      return `allReduce(${call.op} of ${call.length} floats)`;
    case "broadcast":
      return `broadcast(${call.length} floats from member ${call.root})`;
    case "allGather":
      return `allGather(${call.length} floats)`;
    case "barrier":
      return "barrier()";
    default:
      return unreachable(call);
  }
}

/** Whether two members' calls can meet in one collective; the parts of an all-gather may differ in length. */
export const callsMatch = (a: Call, b: Call): boolean =>
  a.operation === "allGather" ? b.operation === "allGather" : describeCall(a) === describeCall(b);

/**
 * The schedule that fits the topology: through the hub of a star, around a ring, and where every two nodes share a link
 * around a ring for all-reduce, as a tree for broadcast.
 * @param lengths each member's part, in elements
 */
export function scheduleOf(call: Call, lengths: readonly number[], members: Members): Schedule {
  const shape = members.topology.name;
  switch (call.operation) {
    case "allReduce": {
      const options = { ...members, length: call.length };
      return shape === "star" ? starAllReduce(options) : ringAllReduce(options);
    }
    case "broadcast": {
      const options = { ...members, length: call.length, root: call.root };
      if (shape === "star") return starBroadcast(options);
      return shape === "ring" ? ringBroadcast(options) : treeBroadcast(options);
    }
    case "allGather":
      return ringAllGather({ ...members, lengths });
    case "barrier":
      return shape === "star" ? starBarrier(members) : disseminationBarrier(members);
    default:
      return unreachable(call);
  }
}
