// Which calls go on among each other on the simulated network. The nodes of a run exchange after the same steps, so calls are
// told apart by the number of their exchange, not by when they are made: a run that stops after a step for an evaluation
// does not know yet what fast nodes will send in the next one, and evaluations must not show in its times. So the calls of
// one exchange share links and NICs, and those of two do not, even where a node is ahead of others.

import type { Rank } from "@atoll/core";
import { Occupancy } from "@atoll/network";

export class Exchanges {
  /** The exchange that each rank is in; −1 before its first, Infinity once it is gone. */
  readonly #numbers: number[];
  /** What the calls of an exchange take, while a rank may still come to it. */
  readonly #taken = new Map<number, Occupancy>();

  constructor(worldSize: number) {
    this.#numbers = Array.from({ length: worldSize }, () => -1);
  }

  begin(rank: Rank, number: number): void {
    this.#numbers[rank] = number;
    if (this.#taken.has(number)) return;
    this.#taken.set(number, new Occupancy());
    const first = this.#numbers.reduce((least, other) => Math.min(least, other), number);
    for (const past of this.#taken.keys()) if (past < first) this.#taken.delete(past);
  }

  /** What the calls of the rank's exchange take so far; undefined if it is in none. */
  of(rank: Rank): Occupancy | undefined {
    return this.#taken.get(this.#numbers[rank]!);
  }

  /** The rank comes to no exchange any more, unless it begins one. */
  leave(rank: Rank): void {
    this.#numbers[rank] = Number.POSITIVE_INFINITY;
  }

  /** Between two exchanges. */
  clear(): void {
    this.#numbers.fill(-1);
    this.#taken.clear();
  }
}
