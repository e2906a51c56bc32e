// The calls that ranks have started and not waited for, by rank and number. One whose result is in the caller's own vector
// can be saved, restored, and taken over by another rank: all that is left of it is when it ends.

import { type Rank, RunError, type Seconds, seconds } from "@atoll/core";
import type { VirtualClock } from "@atoll/network";
import type { Handle } from "./communicator.ts";
import { type Outcome, Started } from "./started.ts";

/** A call that ended and was not waited for, as JSON. */
export interface OpenCall {
  readonly rank: number;
  readonly id: number;
  readonly operation: string;
  readonly lastReady: number;
  readonly end: number;
  readonly bytes: number;
}

/** Operations whose results are in the vector that the caller gave, or who have none. */
const IN_PLACE: ReadonlySet<string> = new Set(["allReduce", "broadcast", "barrier"]);

/** Only the outcome of a handle made from it matters to others. */
interface OpenHandle {
  readonly operation: string;
  readonly started: { readonly outcome: Outcome<unknown> | undefined };
  readonly handle: Handle<unknown>;
}

export interface NewCall {
  readonly id: number;
  readonly operation: string;
  /** What the rank waits for, if the run deadlocks. */
  readonly describe: () => string;
  readonly signal?: AbortSignal | undefined;
  /** Whether the call's own event tells when its rank waits for it: from its start to its end. */
  readonly isTold: boolean;
}

/** A rank goes on, having waited for a call since `from`. */
export type OnEnd = (
  rank: Rank,
  outcome: Outcome<unknown>,
  waited: { readonly from: Seconds; readonly isTold: boolean },
) => void;

/** A rank has waited since `from` for a call, and learns at a time that it broke off. */
export type OnBroken = (rank: Rank, from: Seconds, at: Seconds) => void;

export class OpenCalls {
  readonly #clock: VirtualClock;
  readonly #onEnd: OnEnd;
  readonly #onBroken: OnBroken;
  /** By rank, then number. */
  readonly #open: readonly Map<number, OpenHandle>[];

  constructor(
    worldSize: number,
    clock: VirtualClock,
    { onEnd, onBroken }: { readonly onEnd: OnEnd; readonly onBroken: OnBroken },
  ) {
    this.#clock = clock;
    this.#onEnd = onEnd;
    this.#onBroken = onBroken;
    this.#open = Array.from({ length: worldSize }, () => new Map());
  }

  begin<T>(rank: Rank, { id, operation, describe, signal, isTold }: NewCall): Started<T> {
    const onEnd = (outcome: Outcome<T>, from: Seconds): void => {
      this.close(rank, id);
      this.#onEnd(rank, outcome, { from, isTold });
    };
    const onBroken = (from: Seconds, at: Seconds): void => {
      this.close(rank, id);
      this.#onBroken(rank, from, at);
    };
    const started = new Started<T>({ id, rank, clock: this.#clock, describe, signal, onEnd, onBroken });
    this.#open[rank]!.set(id, { operation, started, handle: started });
    return started;
  }

  close(rank: Rank, id: number): void {
    this.#open[rank]!.delete(id);
  }

  /** @throws RunError if there is none of that number, or none that another than its first owner can wait for */
  handle(rank: Rank, id: number): Handle<void> {
    const open = this.#open[rank]!.get(id);
    if (open === undefined || !IN_PLACE.has(open.operation))
      throw new RunError(
        `Rank ${rank} asks for the handle ${id}, but ${open === undefined ? "has none of that number open" : `the result of ${open.operation} is only with its first owner`}.`,
      );
    return { id, wait: async () => void (await open.handle.wait()) };
  }

  /** @throws RunError if a rank has started to receive, or a call whose result is not in the caller's own vector */
  snapshot(): readonly OpenCall[] {
    return this.#open.flatMap((_, rank) => this.#saved(rank));
  }

  restore(open: readonly OpenCall[]): void {
    for (const handles of this.#open) handles.clear();
    for (const call of open) this.#reopen(call);
  }

  /** Whether it is known how all of a rank's calls end; until then nobody can take them over. */
  areSettled(rank: Rank): boolean {
    return this.#open[rank]!.values().every(({ started }) => started.outcome !== undefined);
  }

  /** Makes a rank's open calls the same as another's. */
  adopt(rank: Rank, from: Rank): void {
    this.clear(rank);
    for (const call of this.#saved(from)) this.#reopen({ ...call, rank, bytes: 0 });
  }

  /** Forgets a rank's calls, or those with a number above one. */
  clear(rank: Rank, above = 0): void {
    for (const id of this.#open[rank]!.keys()) if (id > above) this.close(rank, id);
  }

  #saved(rank: Rank): readonly OpenCall[] {
    return [...this.#open[rank]!].map(
      ([
        id,
        {
          operation,
          started: { outcome },
        },
      ]) => {
        if (outcome === undefined || !IN_PLACE.has(operation))
          throw new RunError(
            `Cannot save the state of rank ${rank}: it has started ${operation} and not waited for it. ` +
              "Wait for it before the step ends, or start an operation whose result is in the caller's own vector.",
          );
        const { lastReady, end, bytes } = outcome;
        return { rank, id, operation, lastReady, end, bytes };
      },
    );
  }

  #reopen({ rank, id, operation, lastReady, end, bytes }: OpenCall): void {
    this.begin<undefined>(rank, { id, operation, describe: () => `its call ${id}`, isTold: false }).settle({
      lastReady: seconds(lastReady),
      end: seconds(end),
      bytes,
      value: undefined,
    });
  }
}
