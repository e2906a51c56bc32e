// The meetings that are under way: one for each exchange that nodes have come to and that has not begun.

import { type Rank, type Seconds, seconds } from "@atoll/core";
import type { VirtualClock } from "@atoll/network";
import type { Meeting } from "./meeting.ts";
import { LeftBehind } from "./signals.ts";

type Which = Pick<Meeting, "step" | "among">;

const keyOf = ({ step, among }: Which): string => `${step} ${among?.join() ?? ""}`;

export class Meetings implements Iterable<Meeting> {
  readonly #clock: VirtualClock;
  readonly #open = new Map<string, Meeting>();

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  /** A copy: they may end while they are looked at. */
  [Symbol.iterator](): Iterator<Meeting> {
    return [...this.#open.values()].values();
  }

  find(which: Which): Meeting | undefined {
    return this.#open.get(keyOf(which));
  }

  open(meeting: Meeting): void {
    this.#open.set(keyOf(meeting), meeting);
  }

  isOpen(meeting: Meeting): boolean {
    return this.find(meeting) === meeting;
  }

  close(meeting: Meeting): void {
    this.#open.delete(keyOf(meeting));
  }

  clear(): void {
    this.#open.clear();
  }

  /** When a node came to the one that it waits for; undefined if it waits for none. */
  cameAt(rank: Rank): Seconds | undefined {
    for (const { arrivals } of this) if (arrivals.has(rank)) return arrivals.get(rank)!.at;
    return undefined;
  }

  /** A node that may have come to some does no more from a moment on. */
  lose(rank: Rank, at: Seconds, error: Error): void {
    for (const { arrivals } of this) {
      const attendance = arrivals.get(rank);
      arrivals.delete(rank);
      attendance?.wait.rejectAt(at, error);
    }
  }

  /** The others have gone on, by a moment, without those that wait for exchanges before a step, but for some. */
  leaveBehind(
    at: number,
    { before = Number.POSITIVE_INFINITY, except = [] }: { before?: number; except?: readonly Rank[] } = {},
  ): void {
    for (const { step, arrivals } of this)
      for (const [rank, { at: came, wait }] of step < before ? arrivals : []) {
        if (except.includes(rank)) continue;
        arrivals.delete(rank);
        wait.rejectAt(seconds(Math.max(came, at)), new LeftBehind(rank));
      }
  }

  /** The segment is over, and nobody waits any more. */
  end(): void {
    for (const { arrivals } of this)
      for (const [late, { wait }] of arrivals) wait.reject(new LeftBehind(late));
    this.clear();
  }

  /** Calls back at a moment if somebody waits then for a meeting that is not over; once a moment. */
  alarm(meeting: Meeting, at: number, action: () => void): void {
    const [rank] = meeting.arrivals.keys();
    if (rank === undefined || meeting.alarms.has(at)) return;
    meeting.alarms.add(at);
    this.#clock.at(seconds(at), rank, () => {
      meeting.alarms.delete(at);
      if (this.isOpen(meeting)) action();
    });
  }
}
