// A call that this rank has started, in real time: what it waits for, how it ended, and how much of the wait was for bytes.

import { type ConfigValue, RunError, type Seconds } from "@atoll/core";
import type { Handle } from "../communicator.ts";
import type { CommunicationTimes } from "../simulatedWorld.ts";

/** Seconds on a clock that all ranks of the run read alike, as far as machines agree on the time. */
export interface RealClock {
  now(): Seconds;
}

/** How a call ended for this rank. */
export interface Outcome<T> {
  /** When nothing but bytes was missing. */
  readonly lastReady: number;
  readonly end: number;
  readonly bytes: number;
  readonly value: T;
}

export interface NewCall {
  readonly operation: string;
  readonly describe: () => string;
  readonly signal?: AbortSignal | undefined;
  /** The signal was aborted while the call went on. */
  readonly onAbort?: ((reason: unknown) => void) | undefined;
}

/** Operations whose results are in the vector that the caller gave, or who have none. */
const IN_PLACE: ReadonlySet<string> = new Set(["allReduce", "broadcast", "barrier"]);

export class StartedCall<T> implements Handle<T> {
  readonly id: number;
  readonly operation: string;
  readonly ready: number;
  readonly describe: () => string;
  readonly #ended = Promise.withResolvers<Outcome<T>>();
  readonly #clock: RealClock;
  readonly #onWaited: (outcome: Outcome<T> | undefined, from: number) => void;
  #waited = false;
  #isSettled = false;

  constructor(
    id: number,
    { operation, describe, signal, onAbort }: NewCall,
    parts: {
      readonly clock: RealClock;
      readonly onWaited: (outcome: Outcome<T> | undefined, from: number) => void;
    },
  ) {
    this.id = id;
    this.operation = operation;
    this.describe = describe;
    this.#clock = parts.clock;
    this.#onWaited = parts.onWaited;
    this.ready = parts.clock.now();
    this.#ended.promise.catch(() => undefined);
    if (signal === undefined) return;
    const abort = (): void => onAbort?.(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    const forget = (): void => signal.removeEventListener("abort", abort);
    this.#ended.promise.then(forget, forget);
  }

  get isWaited(): boolean {
    return this.#waited;
  }

  get isSettled(): boolean {
    return this.#isSettled;
  }

  settle(outcome: Outcome<T>): void {
    this.#isSettled = true;
    this.#ended.resolve(outcome);
  }

  fail(error: unknown): void {
    this.#isSettled = true;
    this.#ended.reject(error);
  }

  /** How the call ends, whether or not somebody waits for it. */
  get outcome(): Promise<Outcome<T>> {
    return this.#ended.promise;
  }

  async wait(): Promise<T> {
    if (this.#waited) throw new RunError("A rank waits a second time for the same handle.");
    this.#waited = true;
    const from = this.#clock.now();
    try {
      const outcome = await this.#ended.promise;
      this.#onWaited(outcome, from);
      return outcome.value;
    } catch (error) {
      this.#onWaited(undefined, from);
      throw error;
    }
  }
}

interface Counters {
  communication: number;
  waiting: number;
  bytesSent: number;
  /** Calls so far, which number the handles. */
  calls: number;
}

/** A call that has ended and was not waited for, as JSON. */
interface SettledCall {
  readonly id: number;
  readonly operation: string;
  readonly bytes: number;
}

export interface CallsSnapshot {
  readonly counters: Counters;
  readonly open: readonly SettledCall[];
}

/** What there is to know of a call whatever it gives. */
type OpenCall = Pick<StartedCall<unknown>, "operation" | "isSettled" | "describe" | "outcome" | "wait">;

/** The calls of one rank that it has not waited for, and what those cost that it has. */
export class Calls {
  readonly #clock: RealClock;
  readonly #open = new Map<number, OpenCall>();
  #counters: Counters = { communication: 0, waiting: 0, bytesSent: 0, calls: 0 };

  constructor(clock: RealClock) {
    this.#clock = clock;
  }

  /** @param again the number of a call that is begun once more, in the place of the one that broke off; a new one has its own */
  begin<T>(call: NewCall, again?: number): StartedCall<T> {
    return this.#begin(again ?? ++this.#counters.calls, call);
  }

  #begin<T>(id: number, call: NewCall): StartedCall<T> {
    const started = new StartedCall<T>(id, call, {
      clock: this.#clock,
      onWaited: (outcome, from) => {
        this.#open.delete(id);
        if (outcome !== undefined) this.#count(outcome, from);
      },
    });
    this.#open.set(id, started);
    return started;
  }

  #count({ lastReady, end, bytes }: Outcome<unknown>, from: number): void {
    this.#counters.waiting += Math.max(0, lastReady - from);
    this.#counters.communication += Math.max(0, end - Math.max(lastReady, from));
    this.#counters.bytesSent += bytes;
  }

  /** Bytes that count although nobody waits for them. */
  countBytes(bytes: number): void {
    this.#counters.bytesSent += bytes;
  }

  /** A call that nobody has to wait for: it is not kept open. */
  close(id: number): void {
    this.#open.delete(id);
  }

  get bytesSent(): number {
    return this.#counters.bytesSent;
  }

  get times(): CommunicationTimes {
    const { communication, waiting } = this.#counters;
    return { communication, waiting };
  }

  /** Calls so far: names a moment for `withdraw`. */
  get count(): number {
    return this.#counters.calls;
  }

  /** Whether all that was started has been waited for. */
  get areOver(): boolean {
    return this.#open.size === 0;
  }

  isOpen(id: number): boolean {
    return this.#open.has(id);
  }

  /** Waits until all that was started has ended. @returns whether none of it has failed */
  async haveEndedWell(): Promise<boolean> {
    const ends = await Promise.allSettled([...this.#open.values()].map(({ outcome }) => outcome));
    return ends.every(({ status }) => status === "fulfilled");
  }

  /** Forgets the calls with a number above one. */
  withdraw(above: number): void {
    for (const id of this.#open.keys()) if (id > above) this.#open.delete(id);
  }

  /** What the rank waits for, or could. */
  describe(): readonly string[] {
    return [...this.#open.values()].filter((call) => !call.isSettled).map((call) => call.describe());
  }

  /** @throws RunError if there is none of that number, or none that another than its first owner can wait for */
  handle(id: number): Handle<void> {
    const open = this.#open.get(id);
    if (open === undefined || !IN_PLACE.has(open.operation))
      throw new RunError(
        `A rank asks for the handle ${id}, but ${open === undefined ? "has none of that number open" : `the result of ${open.operation} is only with its first owner`}.`,
      );
    return { id, wait: async () => void (await open.wait()) };
  }

  /** Waits until all that was started has ended. @throws RunError if the result of one is not in the caller's own vector */
  async snapshot(): Promise<CallsSnapshot> {
    const open: SettledCall[] = [];
    for (const [id, call] of this.#open) {
      if (!IN_PLACE.has(call.operation))
        throw new RunError(
          `Cannot save the state of a rank: it has started ${call.operation} and not waited for it. ` +
            "Wait for it before the step ends, or start an operation whose result is in the caller's own vector.",
        );
      const { bytes } = await call.outcome;
      open.push({ id, operation: call.operation, bytes });
    }
    return { counters: { ...this.#counters }, open };
  }

  restore({ counters, open }: CallsSnapshot): void {
    this.#counters = { ...counters };
    this.#open.clear();
    for (const { id, operation, bytes } of open)
      this.#begin<undefined>(id, { operation, describe: () => `its call ${id}` }).settle({
        lastReady: 0,
        end: 0,
        bytes,
        value: undefined,
      });
  }
}

/** @throws RunError if it is not what `Calls.snapshot` gives */
export function asCallsSnapshot(value: ConfigValue | undefined): CallsSnapshot {
  const { counters, open } = (value ?? {}) as unknown as Partial<CallsSnapshot>;
  if (counters === undefined || open === undefined)
    throw new RunError(
      `The snapshot of a communicator: expected counters and open calls, got ${JSON.stringify(value ?? null).slice(0, 80)}. It belongs to another run.`,
    );
  return { counters, open };
}
