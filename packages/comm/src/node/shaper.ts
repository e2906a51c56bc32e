// A network's conditions in user space: what a rank sends is held back until the moment at which it would have arrived over
// the simulator's own link, with that link's bandwidth, latency, jitter and loss as drawn from profile and seed, draw by draw.
// A transfer's rate and delay are what the simulated network says of it alone; the sender's NIC is shared by all that it
// sends, the receiver's by all that comes. Links in the middle of a route are not shared by different senders.
// Timers are good for about a millisecond. So all is reckoned in virtual moments, which frames carry along: what is sent on
// begins at the virtual moment at which its cause arrived, and a late timer delays nothing but itself.
// It shapes collectives and messages, not control frames. Ranks' clocks have to agree: they are of one machine.

import { bytes, type Rank, seconds } from "@atoll/core";
import type { Network } from "@atoll/network";
import type { RealClock } from "./calls.ts";

/** One transfer or message, of which frames are parts. */
export interface Transfer {
  /** Bytes of all its frames. */
  readonly bytes: number;
  /** Seconds: when it may begin. */
  readonly begin: number;
  /** Messages of a rank leave one after another, to whomever they go; transfers of collectives do so for each receiver. */
  readonly line: "message" | "collective";
}

/** What the network does to a transfer. */
interface Course {
  /** Seconds a byte. */
  readonly pace: number;
  readonly delay: number;
  /** When its next byte may leave. */
  next: number;
}

/** What may go a little early, so that no timer is set for less than it can do. */
const SLACK_SECONDS = 0.0005;
/** Node's timers take no longer wait. */
const LONGEST_TIMER_MS = 2 ** 30;

export interface ShaperOptions {
  readonly network: Network;
  readonly rank: Rank;
  readonly clock: RealClock;
}

/** Delays alone where somebody else keeps to the bandwidths, nothing where somebody else does it all. */
export type Shaped = "everything" | "delays" | "nothing";

/** All that goes out from one rank, and comes in. */
export class Shaper implements Disposable {
  readonly #options: ShaperOptions;
  readonly #courses = new WeakMap<Transfer, Course>();
  /** By receiver: until when its line is taken. */
  readonly #lineFree = new Map<Rank, number>();
  #messagesFree = 0;
  #upFree = 0;
  #downFree = 0;
  readonly #lastDue = new Map<Rank, number>();
  readonly #timers = new Set<NodeJS.Timeout>();
  /** What is done here; not changed while something is on its way. */
  does: Shaped = "everything";

  constructor(options: ShaperOptions) {
    this.#options = options;
  }

  /** When a frame has left, and when it arrives; a frame may be asked for once the one before it has left. */
  schedule(
    target: Rank,
    size: number,
    transfer: Transfer,
  ): { readonly leaves: number; readonly due: number } {
    const course = this.#course(target, transfer);
    const up = this.does === "delays" ? Number.POSITIVE_INFINITY : this.#options.network.nic.up;
    this.#upFree = Math.max(this.#upFree, course.next) + size / up;
    const leaves = Math.max(course.next + size * course.pace, this.#upFree);
    course.next = leaves;
    if (transfer.line === "message") this.#messagesFree = leaves;
    else this.#lineFree.set(target, leaves);
    const due = Math.max(leaves + course.delay, this.#lastDue.get(target) ?? 0);
    this.#lastDue.set(target, due);
    return { leaves, due };
  }

  #course(target: Rank, transfer: Transfer): Course {
    const known = this.#courses.get(transfer);
    if (known !== undefined) return known;
    const { network, rank } = this.#options;
    const free = transfer.line === "message" ? this.#messagesFree : (this.#lineFree.get(target) ?? 0);
    const begin = Math.max(transfer.begin, free);
    const { left, arrived } = network.send(rank, target, bytes(transfer.bytes), seconds(begin));
    const pace = transfer.bytes === 0 || this.does === "delays" ? 0 : (left - begin) / transfer.bytes;
    const course = { pace, delay: arrived - left, next: begin };
    this.#courses.set(transfer, course);
    return course;
  }

  /** When a frame that the network brings at `due` is through the NIC: when it counts. */
  arrival(due: number, size: number): number {
    const { network, clock } = this.#options;
    if (this.does === "delays") return Math.max(due, clock.now());
    const { down } = network.nic;
    this.#downFree = Math.max(this.#downFree, due - size / down) + size / down;
    return Math.max(due, this.#downFree);
  }

  isHere(at: number): boolean {
    return this.#options.clock.now() >= at - SLACK_SECONDS;
  }

  /** Calls back at a moment, never at once. */
  later(at: number, action: () => void): void {
    const waitMs = 1000 * (at - SLACK_SECONDS - this.#options.clock.now());
    const timer = setTimeout(
      () => {
        this.#timers.delete(timer);
        action();
      },
      Math.min(Math.max(0, waitMs), LONGEST_TIMER_MS),
    );
    this.#timers.add(timer);
  }

  /** Things that happen at their moments, one after another even if a timer is late. */
  inOrder(): (at: number, action: () => void) => void {
    const waiting: { readonly at: number; readonly action: () => void }[] = [];
    const release = (): void => {
      while (waiting.length > 0 && this.isHere(waiting[0]!.at)) waiting.shift()!.action();
      if (waiting.length > 0) this.later(waiting[0]!.at, release);
    };
    return (at, action) => {
      if (waiting.length === 0 && this.isHere(at)) action();
      else if (waiting.push({ at, action }) === 1) this.later(at, release);
    };
  }

  [Symbol.dispose](): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }
}
