// What strategies tell a run that records: in passing, about vectors that they have at hand anyway. A run that records
// nothing, or nothing that a strategy knows of, asks nothing.

import type { Encoding } from "../compressors/encoding.ts";

/** Quantities that only some strategies have, and say so (`records`). */
export type StrategyQuantity = "outerCosine" | "compressionError";

export interface StrategyRecord {
  /**
   * This node's outer gradient, of all parameters or of the part that is synchronised, before it is encoded or exchanged. At
   * most once a step; undefined where it is not wanted. The vector is read at once.
   */
  readonly outerGradient: ((x: Float32Array) => void) | undefined;
  /**
   * How well a receiver knows what this node has sent; undefined where it is not wanted. What goes through a codec of
   * `allReduce` is known already: this is for what a strategy encodes by itself. Several calls in one exchange add up.
   */
  readonly encoded: ((measure: () => Encoding) => void) | undefined;
  /**
   * Vectors that a recording has to remember, such as where the round began, made in `init` and changed in place: they are
   * part of a checkpoint, but not of what one node hands to another, which would take time.
   */
  readonly memory: Record<string, Float32Array>;
}
