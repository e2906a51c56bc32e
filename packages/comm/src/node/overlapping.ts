// All-reduces that overlap with computing, in a world that goes on without ranks that are lost: each with what its member
// brought, since a call that breaks off leaves its vector with a part of the sum. Those that are left begin it again.

import type { Rank } from "@atoll/core";
import type { Call } from "../collective.ts";

export interface OverlappingCall {
  readonly call: Call;
  /** Of the members. */
  readonly ranks: readonly Rank[];
  /** Where the sum goes. */
  readonly vector: Float32Array;
  /** What the vector held when the call was made. */
  readonly brought: Float32Array;
}

export class Overlapping {
  /** By the number of the call, in the order in which they were made. */
  readonly #calls = new Map<number, OverlappingCall>();

  keep(id: number, call: Call, ranks: readonly Rank[], vector: Float32Array): void {
    this.#calls.set(id, { call, ranks, vector, brought: vector.slice() });
  }

  /** Those that are kept, in the order in which they were made. */
  get all(): readonly (readonly [id: number, call: OverlappingCall])[] {
    return [...this.#calls];
  }

  /** Nobody will begin these again. */
  forget(isOver: (id: number) => boolean): void {
    for (const id of this.#calls.keys()) if (isOver(id)) this.#calls.delete(id);
  }
}
