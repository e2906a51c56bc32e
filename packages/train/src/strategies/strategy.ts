// What a strategy is: when the nodes of a run talk to each other, what they say, and what they make of it.
// A strategy holds options only. What it remembers between steps is a StrategyState, made by `init` and handed back to
// it on every call, so every strategy is checkpointed and resumed without code of its own.

import type { Communicator } from "@atoll/comm";
import type { ConfigTree, Random } from "@atoll/core";
import type { Optimizer, VectorLayout } from "@atoll/tensor";
import type { z } from "zod";
import type { LocalTask } from "../localTask.ts";
import type { StrategyQuantity, StrategyRecord } from "../record/strategyRecord.ts";
import type { Traffic } from "./traffic.ts";
import type { MissingPolicy } from "./whenMissing.ts";

/** All that a strategy remembers: vectors by name, and numbers. Both are part of a checkpoint. */
export interface StrategyState {
  readonly tensors: Readonly<Record<string, Float32Array>>;
  readonly values: Record<string, number>;
}

/** The node's own arithmetic, done on a worker thread where there is one. */
export interface LocalWork {
  /**
   * Ends when this step's gradients are there, or the local steps have been done. Only `prepare` is called before that:
   * operations that it starts at once are done right after them, by the same worker.
   */
  gradients(): Promise<void>;
  /** Starts an operation; its vectors must not be touched until the promise has ended. */
  run(task: LocalTask): Promise<void>;
  /**
   * Leaves an operation to the worker that does the node's next step, or applies the optimizer: it is done right before.
   * Whoever does not await the promise need not care: it is done before anybody else looks at the node.
   */
  later(task: LocalTask): Promise<void>;
  /** Waits for such operations. It takes no simulated time. */
  until<T>(work: Promise<T>): Promise<T>;
}

/** The node that a strategy acts on. */
export interface StrategyNode {
  readonly communicator: Communicator;
  /** Where each parameter lies in `parameters` and `gradients`. */
  readonly layout: VectorLayout;
  /** The node's parameters, [layout.size]; changed in place. */
  readonly parameters: Float32Array;
  /**
   * This step's gradients, [layout.size]; changed in place. A parameter strategy has no use for them: they are those of the last
   * local step where an executor applies the optimizer step by step, and zeros where all steps are one program's.
   */
  readonly gradients: Float32Array;
  /** The local optimizer's state vectors by name, each [layout.size]; zeros until the first step, or as a strategy sets them. */
  readonly slots: Readonly<Record<string, Float32Array>>;
  /** Steps done. */
  readonly step: number;
  /** This node's part of all training examples, between 0 and 1; the parts add up to 1. */
  readonly share: number;
  /**
   * Returns once this part, from 0 to 1, of the step's compute time has passed on the clock: at once, but for a gradient
   * strategy whose exchange begins earlier.
   */
  computed(part: number): Promise<void>;
  /** A stream that is the same on every rank: draw from `sharedRandom.derive(label, round)`. */
  readonly sharedRandom: Random;
  readonly local: LocalWork;
  /** Set where the run records more than its losses. */
  readonly record?: StrategyRecord | undefined;
}

interface StrategyBase {
  readonly name: string;
  /** The options as they go into config.json. */
  readonly config: ConfigTree;
  /** The optimizer of the local steps. */
  readonly optimizer: Optimizer;
  /** What can be recorded of it beside what every strategy has: an all-reduce with a codec has a `compressionError`. */
  readonly records?: readonly StrategyQuantity[];
  /** What the nodes do when some of them are missing, unless the run says otherwise. Default: wait for them. */
  readonly whenMissing?: MissingPolicy;
  /** @throws ConfigError if the strategy cannot run on that many nodes. */
  validate(worldSize: number): void;
  /** @throws ConfigError if the strategy cannot run on a model of such parameters. Called before any work. */
  validateModel?(layout: VectorLayout): void;
  init(node: StrategyNode): StrategyState;
  /**
   * What the node does on its gradients, or after its local steps on its parameters, before it needs the others: on the worker
   * threads, while other nodes still compute. It is called before any of that is there: what it does not leave to
   * `node.local.run` has to wait for `node.local.gradients()`. Nothing may be awaited in it but `node.local`. Where nodes may
   * be missing it is not called: the exchange does it then (`preparation`). So it goes by nothing that differs between the two,
   * as `node.step` does: of a parameter strategy's local steps none has been counted yet when this is called.
   */
  prepare?(node: StrategyNode, state: StrategyState): Promise<void>;
}

/** Acts on every step's gradients, before the optimizer sees them: DDP and its compressed relatives. */
export interface GradientStrategy extends StrategyBase {
  readonly kind: "gradient";
  /**
   * The part of a step's compute time that has passed on the clock when `exchange` is called. The gradients are whole even
   * if it is below 1, which a program that makes them all at once cannot do in earnest: a what-if of the time model, as which
   * the run's config marks it unless steps take the time that they take. The step ends no earlier than its compute time. Default 1.
   */
  readonly exchangesFrom?: number | undefined;
  /**
   * Replaces `node.gradients` by what the optimizer shall apply, or returns it: a vector [P] that nodes may share, that is
   * not changed before the node's next exchange.
   */
  exchange(node: StrategyNode, state: StrategyState): Promise<Float32Array | undefined> | Promise<void>;
}

/** Lets the local optimizer run and acts on parameters: FedAvg, DiLoCo and their relatives. */
export interface ParameterStrategy extends StrategyBase {
  readonly kind: "parameter";
  /** Steps from `step` (steps done) to the next synchronisation, at least 1. */
  localSteps(step: number): number;
  /**
   * Called before local steps begin. A strategy that has it is asynchronous: its nodes send, and look here what has
   * arrived, and never wait for each other; `synchronise` may not either. An evaluation may cut a run of local steps in two,
   * and this is called before each part: go by `node.step`.
   */
  begin?(node: StrategyNode, state: StrategyState): Promise<void>;
  /** Called when those steps are done; changes `node.parameters`. */
  synchronise(node: StrategyNode, state: StrategyState): Promise<void>;
}

export type Strategy = GradientStrategy | ParameterStrategy;

/** Whether nodes go on without waiting for each other, so that they have done different numbers of steps at any time. */
export const isAsynchronous = (strategy: Strategy): boolean =>
  strategy.kind === "parameter" && strategy.begin !== undefined;

/** A strategy by name, for configs: its options as a schema, and the strategy they make. */
export interface StrategyEntry {
  readonly name: string;
  /** One line for the help. */
  readonly summary: string;
  /** Options without `kind` and without the optimizer, which configs state apart. */
  readonly options: z.ZodObject;
  /** The optimizer that its paper has, for configs that name none: what `optimizer` of a config takes. Default AdamW. */
  readonly optimizer?: ConfigTree;
  /** What it sends, for planning without a run. @param options as the schema lets them pass */
  traffic(options: Readonly<Record<string, unknown>>): Traffic;
  /** @param options as the schema lets them pass */
  create(options: Readonly<Record<string, unknown>>, optimizer: Optimizer): Strategy;
}

export const NO_STATE: StrategyState = { tensors: {}, values: {} };
