// Times a schedule on a network whose links change over time, by the rules of recurrence.ts and replay.ts. Where no two
// transfers can meet the recurrence is exact here too, as long as nobody has to take a detour: on it they could.

import type { Rank, Seconds } from "@atoll/core";
import { type ChangingFlow, ChangingFlowSimulation } from "./changingFlows.ts";
import type { Course } from "./course.ts";
import type { Detours } from "./detours.ts";
import type { Take } from "./occupancy.ts";
import type { PathSnapshot } from "./path.ts";
import { type Movement, replay, type Transfer } from "./replay.ts";
import { type TransferSchedule, transferBytes } from "./schedule.ts";

export type CourseLookup = (source: Rank, target: Rank) => Course;

export interface ChangingSchedule {
  readonly schedule: TransferSchedule;
  /** When each member is ready. */
  readonly ready: readonly Seconds[];
  /** Whether no two transfers can meet on their usual routes. */
  readonly uncontended: boolean;
  readonly course: CourseLookup;
  /** Undefined if no link is ever down. */
  readonly detours: Detours | undefined;
  /** When each member is lost; what comes after the first that is lost before it is done is not asked for. */
  readonly losses: readonly number[] | undefined;
  /** Is told what the schedule's transfers take. */
  readonly take: Take | undefined;
}

/** When each member is done; Infinity for one that waits for a transfer that can never arrive, or for another member that is lost. */
export function timeWhileChanging(given: ChangingSchedule): Float64Array {
  return (given.uncontended ? timeAlone(given) : undefined) ?? timeTogether(given);
}

/** Undefined if a link goes down or comes up meanwhile, or is down that a route goes over; then nothing has been drawn. */
function timeAlone({ schedule, ready, course, detours, take }: ChangingSchedule): Float64Array | undefined {
  const start = ready.reduce((earliest, time) => Math.min(earliest, time), Number.POSITIVE_INFINITY);
  // Nobody comes, so nothing is to be asked about that moment.
  if (start === Number.POSITIVE_INFINITY) return Float64Array.from(ready);
  const until = detours?.era(start).until ?? Number.POSITIVE_INFINITY;
  const before = new Map<Course, PathSnapshot>();
  const pieces: Parameters<Take>[] = [];
  const note: Take | undefined = take && ((...piece) => pieces.push(piece));
  const undo = (): undefined => {
    for (const [used, snapshot] of before) used.own.restore(snapshot);
  };
  const { ranks, chunkBytes, rounds } = schedule;
  const times = Float64Array.from(ready);
  const next = Float64Array.from(ready);
  for (const round of rounds()) {
    const { sources, targets } = round;
    for (let i = 0; i < sources.length; i++) {
      const source = sources[i]!;
      const target = targets[i]!;
      const taken = course(ranks[source]!, ranks[target]!);
      if (detours !== undefined) {
        if (taken.wayAt(start) !== taken.own) return undo();
        if (!before.has(taken)) before.set(taken, taken.own.snapshot());
      }
      const size = transferBytes(chunkBytes, round, i);
      const end = taken.send(size, times[source]! as Seconds, note).arrived;
      if (end > until) return undo();
      next[source] = Math.max(next[source]!, end);
      next[target] = Math.max(next[target]!, end);
    }
    times.set(next);
  }
  for (const piece of pieces) take?.(...piece);
  return times;
}

/** Flow by flow. */
function timeTogether({ schedule, ready, course, losses, take }: ChangingSchedule): Float64Array {
  const { ranks } = schedule;
  const simulation = new ChangingFlowSimulation<Transfer & ChangingFlow>(take);
  const movement: Movement = {
    send(round, source, target, bytes, at) {
      const taken = course(ranks[source]!, ranks[target]!);
      const departed = taken.depart(bytes, at);
      // One that can never set out never arrives, and the others wait for it for ever.
      if (departed === undefined) return;
      const { departure, delay, size, limit } = departed;
      simulation.start({
        course: taken.limited(limit),
        size,
        begin: departure + delay,
        round,
        source,
        target,
      });
    },
    next: () => simulation.next(),
  };
  return replay(schedule, ready, movement, losses);
}
