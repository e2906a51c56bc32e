// The virtual clock: a discrete-event loop whose processes are async functions, one a rank.
// A rank passes time by `sleep` and `work` and meets others by `wait`; between two of those it takes no virtual time.
// `work` covers real computation that takes `d` on the virtual clock: the real work of many ranks runs in parallel, and a
// rank goes on from its own when all that comes before it in virtual time has been done.
// Events are taken in the order (time, rank, sequence) and never by which real work ends first, so a run replays exactly.
// Before all others, though, come the ends of waits and of work that takes no virtual time: their moment is settled, and
// until it the rank can neither see nor do anything. If they waited for real work of ranks that are behind in virtual
// time, ranks that leave a collective one after another would compute one after another. So each rank has its own time.
// What the clock cannot do is stop code that awaits something real outside `work`; it notices and says so.

import { type Rank, RunError, type Seconds, seconds } from "@atoll/core";
import { MinHeap } from "./heap.ts";
import { listed } from "./listed.ts";
import { turn } from "./turn.ts";

/** How long work takes on the virtual clock: known beforehand, or read from its result (a measured duration). */
export type Duration<T> = Seconds | ((result: T) => Seconds);

/** The clock as one rank sees it. */
export interface Clock {
  now(): Seconds;
  sleep(duration: Seconds): Promise<void>;
  /** Awaits `real`, which takes `duration` of virtual time; rejects as `real` does. */
  work<T>(duration: Duration<T>, real: Promise<T>): Promise<T>;
}

/** A wait for other ranks. Whoever ends it says at which virtual time the waiting rank goes on. */
export interface Wait<T> {
  readonly promise: Promise<T>;
  /** @param time not before that of the rank whose turn it is */
  resolveAt(time: Seconds, value: T): void;
  /** Ends the wait with an error, now. */
  reject(error: unknown): void;
  /** Ends it with an error that the rank learns at a time. */
  rejectAt(time: Seconds, error: unknown): void;
}

export interface RunOptions {
  readonly signal?: AbortSignal;
  /** When each rank starts; the clock's present by default. The clock begins at the earliest, even if it was later before. */
  readonly startAt?: readonly Seconds[];
}

export interface VirtualClock {
  /** The time of the rank whose turn it is; after a run, that of the last rank. */
  now(): Seconds;
  forRank(rank: Rank): Clock;
  /** Registers that `rank` waits; `describe` is asked only if the run deadlocks: "all-reduce #3, for ranks 1, 2". */
  wait<T>(rank: Rank, describe: () => string): Wait<T>;
  /**
   * Calls `action` when the clock comes to `time`: all that happens before is known then. It is no rank's event and keeps
   * no rank waiting. @param rank whose turn it is in among events of the same time
   */
  at(time: Seconds, rank: Rank, action: () => void): void;
  /**
   * Calls `action` once real work has been done that keeps ranks waiting, and takes no virtual time: before the clock goes
   * on. It is no rank's event either. The run fails as the work does.
   */
  whenDone<T>(real: Promise<T>, time: Seconds, rank: Rank, action: (result: T) => void): void;
  /**
   * Runs one function a rank until all have ended. The first that throws ends the run with its error: the waits of the
   * others are rejected and real work that is under way is awaited, so nothing goes on behind the caller's back.
   * @throws DeadlockError, which names every waiting rank and what it waits for; RunError on a real await outside `work`.
   */
  run(ranks: readonly (() => Promise<void>)[], options?: RunOptions): Promise<void>;
}

interface ClockEvent {
  readonly time: Seconds;
  readonly rank: Rank;
  readonly sequence: number;
  /** Real work that has to be done first. */
  readonly gate?: Promise<unknown>;
  /** Set for an event at which no rank goes on. */
  readonly isAction?: boolean;
  wake(): void;
}

/** Something a rank awaits on this clock. */
interface Pending {
  readonly describe: () => string;
  readonly reject: (error: unknown) => void;
}

/** Ranks wait for each other, and none of them can go on. */
export class DeadlockError extends RunError {}

type Outcome<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: unknown };

const before = (a: ClockEvent, b: ClockEvent): boolean =>
  a.time !== b.time ? a.time < b.time : a.rank !== b.rank ? a.rank < b.rank : a.sequence < b.sequence;

/**
 * All real work that can begin shall begin before any is awaited, and it is awaited in the order in which it began: if what a
 * rank begins after its work came before the ends of the others' work, these would go on one after another.
 */
const ungatedBefore = (a: ClockEvent, b: ClockEvent): boolean => {
  if ((a.gate === undefined) !== (b.gate === undefined)) return a.gate === undefined;
  return a.gate === undefined ? before(a, b) : a.sequence < b.sequence;
};

const ABANDONED = "The run has ended because another rank failed or the run was stopped.";

class EventClock implements VirtualClock {
  #now: Seconds;
  #sequence = 0;
  /** Starts, ends of waits, and ends of work that takes no virtual time. */
  readonly #settled = new MinHeap<ClockEvent>(ungatedBefore);
  /** Ends of sleeps and of other work. */
  readonly #events = new MinHeap<ClockEvent>(before);
  /** Work whose duration its own result gives: it is an event once it is done. */
  #measured: { readonly gate: Promise<unknown>; readonly schedule: () => void }[] = [];
  readonly #gates = new Set<Promise<unknown>>();
  #times: Seconds[] = [];
  #pending: Set<Pending>[] = [];
  #ended: boolean[] = [];
  #failure: { readonly error: unknown } | undefined;

  constructor(start: Seconds) {
    this.#now = start;
  }

  now(): Seconds {
    return this.#now;
  }

  forRank(rank: Rank): Clock {
    return {
      now: () => this.#times[rank] ?? this.#now,
      sleep: (duration) => this.#sleep(rank, duration),
      work: (duration, real) => this.#work(rank, duration, real),
    };
  }

  wait<T>(rank: Rank, describe: () => string): Wait<T> {
    const { promise, pending, resolve } = this.#register<T>(rank, describe);
    return {
      promise,
      resolveAt: (time, value) => this.#schedule(this.#settled, { time, rank, wake: () => resolve(value) }),
      reject: pending.reject,
      rejectAt: (time, error) =>
        this.#schedule(this.#settled, { time, rank, wake: () => pending.reject(error) }),
    };
  }

  at(time: Seconds, rank: Rank, action: () => void): void {
    this.#schedule(this.#events, { time, rank, isAction: true, wake: action });
  }

  whenDone<T>(real: Promise<T>, time: Seconds, rank: Rank, action: (result: T) => void): void {
    let wake = (): void => undefined;
    const gate = real
      .then((result) => {
        wake = () => action(result);
      })
      .finally(() => this.#gates.delete(gate));
    this.#gates.add(gate);
    // Its error is told by run(), when the clock comes to it.
    gate.catch(() => undefined);
    this.#schedule(this.#settled, { time, rank, gate, isAction: true, wake: () => wake() });
  }

  async run(ranks: readonly (() => Promise<void>)[], options: RunOptions = {}): Promise<void> {
    this.#failure = undefined;
    this.#pending = ranks.map(() => new Set());
    this.#ended = ranks.map(() => false);
    this.#times = ranks.map((_, rank) => options.startAt?.[rank] ?? this.#now);
    ranks.forEach((start, rank) => {
      this.#schedule(this.#settled, { time: this.#times[rank]!, rank, wake: () => this.#start(rank, start) });
    });
    try {
      await this.#loop(options.signal);
      this.#now = seconds(Math.max(this.#now, ...this.#times));
    } catch (error) {
      this.#failure ??= { error };
      await this.#abandon();
      throw error;
    }
  }

  #start(rank: Rank, run: () => Promise<void>): void {
    const fail = (error: unknown): void => {
      this.#ended[rank] = true;
      this.#failure ??= { error };
    };
    try {
      run().then(() => {
        this.#ended[rank] = true;
      }, fail);
    } catch (error) {
      fail(error);
    }
  }

  async #loop(signal: AbortSignal | undefined): Promise<void> {
    for (;;) {
      signal?.throwIfAborted();
      if (this.#settled.size === 0) await this.#schedulePast(signal);
      const event = this.#settled.pop() ?? this.#events.pop();
      if (event === undefined) break;
      if (event.gate !== undefined) await unlessAborted(event.gate, signal);
      this.#now = event.time;
      if (event.isAction) {
        event.wake();
        continue;
      }
      this.#times[event.rank] = event.time;
      event.wake();
      await turn();
      if (this.#failure !== undefined) throw this.#failure.error;
      this.#refuseRealAwait(event.rank);
    }
    if (this.#ended.includes(false)) throw this.#deadlock();
  }

  /** Makes events of the measured work, in the order in which it began. */
  async #schedulePast(signal: AbortSignal | undefined): Promise<void> {
    const measured = this.#measured;
    this.#measured = [];
    for (const { gate, schedule } of measured) {
      await unlessAborted(gate, signal);
      schedule();
    }
  }

  #sleep(rank: Rank, duration: Seconds): Promise<void> {
    this.#refuseDuration(rank, duration, "sleep");
    const { promise, resolve } = this.#register<void>(rank, () => `sleep of ${duration} s`);
    this.#schedule(this.#events, { time: this.#after(rank, duration), rank, wake: () => resolve() });
    return promise;
  }

  #work<T>(rank: Rank, duration: Duration<T>, real: Promise<T>): Promise<T> {
    if (typeof duration === "number") this.#refuseDuration(rank, duration, "work");
    let outcome: Outcome<T> | undefined;
    const gate = real
      .then(
        (value) => {
          outcome = { ok: true, value };
        },
        (error: unknown) => {
          outcome = { ok: false, error };
        },
      )
      .finally(() => this.#gates.delete(gate));
    this.#gates.add(gate);
    const { promise, resolve, pending } = this.#register<T>(rank, () => "real work");
    const settle = (): void => {
      if (outcome?.ok) resolve(outcome.value);
      else pending.reject(outcome?.error);
    };
    if (typeof duration === "number") {
      const queue = duration === 0 ? this.#settled : this.#events;
      this.#schedule(queue, { time: this.#after(rank, duration), rank, gate, wake: settle });
      return promise;
    }
    const schedule = (): void => {
      const taken = outcome?.ok ? duration(outcome.value) : seconds(0);
      this.#refuseDuration(rank, taken, "work");
      this.#schedule(this.#events, { time: this.#after(rank, taken), rank, wake: settle });
    };
    this.#measured.push({ gate, schedule });
    return promise;
  }

  #after(rank: Rank, duration: Seconds): Seconds {
    return seconds(this.#times[rank]! + duration);
  }

  /** Notes that a rank awaits something of this clock, until it is settled. */
  #register<T>(
    rank: Rank,
    describe: () => string,
  ): { readonly promise: Promise<T>; readonly resolve: (value: T) => void; readonly pending: Pending } {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const waits = this.#pending[rank];
    if (waits === undefined)
      throw new RunError(
        `The clock runs ${this.#pending.length} ranks, got a call for rank ${rank}. Call it from inside run().`,
      );
    const pending: Pending = {
      describe,
      reject: (error) => {
        waits.delete(pending);
        // The run's error is told by run(); that of a call which its rank does not await any more is no second one.
        if (this.#failure !== undefined) promise.catch(() => undefined);
        reject(error);
      },
    };
    waits.add(pending);
    if (this.#failure !== undefined) pending.reject(new RunError(ABANDONED, this.#failure.error));
    const settle = (value: T): void => {
      waits.delete(pending);
      resolve(value);
    };
    return { promise, resolve: settle, pending };
  }

  #schedule(queue: MinHeap<ClockEvent>, event: Omit<ClockEvent, "sequence">): void {
    queue.push({ ...event, sequence: this.#sequence++ });
  }

  #refuseDuration(rank: Rank, duration: number, what: string): void {
    if (!(duration >= 0 && duration < Number.POSITIVE_INFINITY))
      throw new RunError(`${what} of rank ${rank}: expected seconds ≥ 0, got ${duration}.`);
  }

  /** A rank that has been woken and had its turn has either ended or awaits the clock again. */
  #refuseRealAwait(rank: Rank): void {
    if (this.#ended[rank] !== false || this.#pending[rank]!.size > 0) return;
    throw new RunError(
      `Rank ${rank} awaits something that is not on the virtual clock (at ${this.#now} s), so the run would depend on ` +
        "how fast this machine is. Wrap it: await clock.work(duration, promise), with duration 0 if it costs no simulated time.",
    );
  }

  #deadlock(): DeadlockError {
    const lines = this.#pending.flatMap((waits, rank) =>
      this.#ended[rank]
        ? []
        : [`rank ${rank} waits for ${[...waits].map((wait) => wait.describe()).join(" and ")}`],
    );
    const ended = this.#ended.flatMap((done, rank) => (done ? [rank] : []));
    const tail = ended.length === 0 ? "" : ` Already ended: ${listed("rank", ended)}.`;
    return new DeadlockError(
      `Deadlock at ${this.#now} s: ${lines.slice(0, 8).join("; ")}` +
        `${lines.length > 8 ? `; and ${lines.length - 8} more ranks` : ""}.${tail}`,
    );
  }

  /** Lets the other ranks unwind (their `finally` blocks run) and waits for real work that is still under way. */
  async #abandon(): Promise<void> {
    for (const waits of this.#pending)
      for (const pending of [...waits]) pending.reject(new RunError(ABANDONED, this.#failure?.error));
    await turn();
    while (this.#gates.size > 0) await Promise.allSettled(this.#gates);
    this.#settled.clear();
    this.#events.clear();
    this.#measured = [];
  }
}

/** Awaits `done`, or rejects with the signal's reason if that comes first. */
function unlessAborted(done: Promise<unknown>, signal: AbortSignal | undefined): Promise<unknown> {
  if (signal === undefined) return done;
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    done.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

/** @param start where the clock begins; a resumed run gives the saved time. */
export function createVirtualClock(start: Seconds = seconds(0)): VirtualClock {
  return new EventClock(start);
}
