// Nodes that are back after they were lost, and wait for a state: a node that has one hands it on, its present one or what it
// began its round with, if the two are there until it has arrived.

import type { SimulatedWorld } from "@atoll/comm";
import { bytes, type Rank, type Seconds } from "@atoll/core";
import type { Network, VirtualClock, Wait } from "@atoll/network";
import type { NodeMemories } from "./nodeMemory.ts";
import type { Outlook } from "./outlook.ts";

/** A state on its way. */
export interface Given {
  readonly from: Rank;
  readonly to: Rank;
  /** Steps that it is of. */
  readonly step: number;
  readonly bytes: number;
  readonly arrived: Seconds;
}

export interface ReturnsOptions {
  readonly clock: VirtualClock;
  readonly network: Network;
  readonly outlook: Outlook;
  readonly world: SimulatedWorld;
  readonly memory: NodeMemories;
  /** A node is given a state: it is not waiting any more. */
  readonly onGiven: (given: Given) => void;
}

/** Which state of a node is handed on. */
export type HandedState = "present" | "kept";

export class Returns {
  readonly #options: ReturnsOptions;
  /** By node: ends with the steps that its state is of, or with nothing if the segment is over. */
  readonly #waits = new Map<Rank, Wait<number | undefined>>();

  constructor(options: ReturnsOptions) {
    this.#options = options;
  }

  /** Nodes that wait, ascending. */
  get ranks(): readonly Rank[] {
    return [...this.#waits.keys()].sort((a, b) => a - b);
  }

  /** A node waits: the steps that the state is of which it is given; undefined if the segment ends before. */
  wait(rank: Rank): Promise<number | undefined> {
    const wait = this.#options.clock.wait<number | undefined>(rank, () => "a node that gives it its state");
    this.#waits.set(rank, wait);
    return wait.promise;
  }

  /** A node that may wait is lost again. */
  lose(rank: Rank, at: Seconds, error: Error): void {
    const wait = this.#waits.get(rank);
    this.#waits.delete(rank);
    wait?.rejectAt(at, error);
  }

  /** Nobody can give anybody a state: one node, who has waited longest, is told why. */
  giveUp(at: Seconds, error: Error): void {
    const [first] = this.#waits.values();
    first?.rejectAt(at, error);
  }

  /** The segment is over. */
  end(): void {
    const { clock } = this.#options;
    for (const [rank, wait] of this.#waits) wait.resolveAt(clock.forRank(rank).now(), undefined);
    this.#waits.clear();
  }

  clear(): void {
    this.#waits.clear();
  }

  /** A node hands its state, of so many steps, to one that waits for it. Nothing happens if it would not arrive. */
  give(
    { from, to }: Readonly<Record<"from" | "to", Rank>>,
    { step, state }: { readonly step: number; readonly state: HandedState },
    now: Seconds,
  ): void {
    const { outlook, memory, world, onGiven, clock } = this.#options;
    const wait = this.#waits.get(to);
    if (wait === undefined || !world.isSettled(from)) return;
    // Nodes run ahead of each other: one that is not back yet at that moment is given a later state.
    if (clock.forRank(to).now() > now) return;
    const reachable = outlook.reachable(now);
    if (!reachable(from) || !reachable(to)) return;
    const size = memory.bytes();
    const { arrived } = this.#options.network.send(from, to, bytes(size), now);
    if (arrived === Number.POSITIVE_INFINITY) return;
    for (const rank of [from, to]) if (outlook.crashBefore(rank, now, arrived) !== undefined) return;
    this.#waits.delete(to);
    if (state === "kept") memory.copyKept(from, to);
    else memory.copy(from, to);
    world.adopt(to, from, size);
    onGiven({ from, to, step, bytes: size, arrived });
    wait.resolveAt(arrived, step);
  }
}
