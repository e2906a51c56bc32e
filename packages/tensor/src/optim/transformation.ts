// What an optimizer is made of, after Optax: small pure functions that transform gradients into updates, chained. The
// parameters then change by `parameters + updates`. All work on flat vectors (see vector.ts) and are traced into the
// step's program; what depends on the number of updates done so far is computed on the host, in double precision, and
// enters the program as scalars.

import type { ConfigTree } from "@atoll/core";
import type { Tensor } from "../borrow.ts";
import type { VectorLayout } from "../vector.ts";
import type { Schedule } from "./schedule.ts";

export interface Updated {
  /** float32 [layout.size] */
  readonly updates: Tensor;
  /** A vector for each slot. */
  readonly state: Readonly<Record<string, Tensor>>;
}

export interface GradientTransformation {
  readonly name: string;
  /** Names of the state vectors; each is as long as the parameters and starts as zeros. */
  readonly slots: readonly string[];
  /** The kind and options as they go into config.json. */
  readonly config: ConfigTree;
  /** What this transformation is, if it is one that fused kernels know. */
  readonly rule?: UpdateRule;
  /** The learning rate, of the transformation that applies it. */
  readonly learningRate?: Schedule;
  /** Numbers for the next update when `count` updates are done. */
  scalars(count: number): Readonly<Record<string, number>>;
  /**
   * Pure: turns gradients (or the updates of the transformation before) into updates, and the state into the next one.
   * `updates` and `parameters` are float32 [layout.size], as is each slot; `scalars` are what `scalars` gave, each [].
   */
  update(
    updates: Tensor,
    state: Readonly<Record<string, Tensor>>,
    parameters: Tensor,
    scalars: Readonly<Record<string, Tensor>>,
    layout: VectorLayout,
  ): Updated;
}

/** Which parameters weight decay acts on: all of them, or only tensors with two axes or more, as GPTs are trained. */
export type Decay = "all" | "matrices";

/** The transformations that can be run as one fused pass over the parameters. */
export type UpdateRule =
  | { readonly kind: "proximal"; readonly mu: number }
  | { readonly kind: "clipByGlobalNorm"; readonly maxNorm: number }
  | { readonly kind: "addDecayedWeights"; readonly weightDecay: number; readonly decay: Decay }
  | { readonly kind: "scaleByAdam"; readonly b1: number; readonly b2: number; readonly eps: number }
  | { readonly kind: "momentum"; readonly momentum: number; readonly nesterov: boolean }
  | { readonly kind: "scaleByLearningRate"; readonly learningRate: Schedule };

/** A transformation whose updates can be added to the parameters. */
export interface Optimizer extends GradientTransformation {
  /** The transformations one after the other; names of their slots and scalars are `name/slot` in the chain. */
  readonly parts: readonly ChainPart[];
  /** The learning rate of the next update, for display. */
  readonly learningRate: Schedule;
}

export interface ChainPart {
  /** Unique in the chain: the transformation's name, with a number if it occurs again. */
  readonly label: string;
  readonly transformation: GradientTransformation;
}
