// AD-PSGD: nodes train without ever waiting for another, and average their parameters pair by pair when they get to it.
// Source: Lian et al., "Asynchronous decentralized parallel stochastic gradient descent" (arXiv 1710.06952), algorithm 1,
// with the paper's split into active nodes, which ask, and passive ones, which answer.

import { parseConfig } from "@atoll/core/config";
import { adamW, type Optimizer } from "@atoll/tensor";
import { addVectors, copyVector, divideVector, subtractVectors } from "@atoll/tensor/vectors";
import { z } from "zod";
import { type MessagePool, messagePool } from "./messagePool.ts";
import { steps } from "./optionSchemas.ts";
import type { ParameterStrategy, StrategyEntry, StrategyNode, StrategyState } from "./strategy.ts";
import { NEVER_WAIT } from "./whenMissing.ts";

const options = z.strictObject({
  H: steps(1, "local steps between two looks at what has arrived"),
  patience: steps(
    1000,
    "steps after which a node that got no answer asks another, or sooner: 50 times what the slowest answer took",
  ),
});

/** In place of a rank. */
const NOBODY = -1;

/** How many times as long as the slowest answer so far an answer may take. */
const SLOWER = 50;

export interface AdPsgdOptions {
  /** Local steps between two looks at what has arrived. Default 1. */
  readonly H?: number;
  /**
   * Steps after which a node that got no answer, since the other has crashed, asks another: so many at most, and no more than 50
   * times what the slowest answer took so far. Default 1000.
   */
  readonly patience?: number;
  /** The optimizer of the local steps. Default AdamW. */
  readonly optimizer?: Optimizer;
}

/**
 * Even ranks are active, odd ones passive. Before every H local steps a node looks what has arrived, which takes no time.
 * An active node i that waits for no answer sends its θᵢ to a passive node j drawn at random; j, when it looks next, takes
 * δ = (θᵢ − θⱼ)/2, θⱼ ← θⱼ + δ and sends δ back; i, when it looks next, takes θᵢ ← θᵢ − δ. State: whom an answer is due
 * to, since a node that was lost takes over another's state, the step of the question, and the steps that the slowest answer took.
 * An answer that does not come, since a node has crashed, is given up after 50 times those, or `patience` steps; what the other
 * had added by then is lost to the sum. Each time the slowest answer counts twice as much from then on: it may be still to come.
 *
 * The paper makes the average of a pair atomic by locks. Here it is a sum that is conserved: Σθ over the nodes, less the
 * answers in flight, changes by local steps only. It comes to the same: since an active node takes part in one average at a
 * time and a passive one answers in order, each average is one of algorithm 1, made when j answers, and the steps that i
 * does until it hears are gradients at parameters that it has read before: algorithm 1's stale gradients. Were a node to
 * ask and to answer at once, two that ask each other would swap their parameters instead of averaging them. What differs
 * is when: the paper has a thread for messages, here they wait for the end of a run of local steps, so an average takes
 * between one and two such runs beside the message's own time.
 *
 * Bytes a node sends: 4P a question or an answer. While messages take less time than H steps, and all nodes are equally
 * fast, the active nodes ask and are answered in turn: 4P · ⌈N/2⌉ every H steps, all nodes together; none on one node.
 * A run's final models are those that the nodes then have, without answers in flight.
 * @throws ConfigError if H or patience is less than 1.
 */
export function adPsgd({ optimizer = adamW(), ...given }: AdPsgdOptions = {}): ParameterStrategy {
  const { H, patience } = parseConfig(options, given, "strategy");
  const pool = messagePool(0);
  return {
    kind: "parameter",
    name: "adpsgd",
    config: { kind: "adpsgd", H, patience },
    optimizer,
    whenMissing: NEVER_WAIT,
    validate() {},
    init: () => ({ tensors: {}, values: { askedBy: NOBODY, askedAt: 0, slowest: 0 } }),
    localSteps: (step) => H - (step % H),
    async begin(node, state) {
      const { rank, worldSize } = node.communicator;
      if (worldSize === 1 || node.step % H !== 0) return;
      if (rank % 2 === 0) await ask(node, state, { pool, patience });
      else await answer(node);
    },
    synchronise: () => Promise.resolve(),
  };
}

/** Takes the answer if it has come, and asks again. */
async function ask(
  node: StrategyNode,
  { values }: StrategyState,
  { pool, patience }: { readonly pool: MessagePool; readonly patience: number },
): Promise<void> {
  const { communicator, parameters, sharedRandom, step } = node;
  for (const { vector } of await communicator.arrived()) {
    subtractVectors(parameters, parameters, vector);
    pool.giveBack(node, vector);
    if (values.askedBy === communicator.rank)
      values.slowest = Math.max(values.slowest!, step - values.askedAt!);
    values.askedBy = NOBODY;
  }
  if (values.askedBy === communicator.rank) {
    const longest = values.slowest === 0 ? patience : Math.min(patience, SLOWER * values.slowest!);
    if (step - values.askedAt! < longest) return;
    values.slowest! *= 2;
  }
  const passive = Math.floor(communicator.worldSize / 2);
  const drawn = sharedRandom.derive("partner", communicator.rank, step).integer(passive);
  const question = pool.take(node);
  copyVector(question, parameters);
  communicator.start.send(question, 2 * drawn + 1, 0, { given: true });
  values.askedBy = communicator.rank;
  values.askedAt = step;
}

/** Averages with those who have asked, one after another. */
async function answer({ communicator, parameters }: StrategyNode): Promise<void> {
  for (const { source, vector: delta } of await communicator.arrived()) {
    subtractVectors(delta, delta, parameters);
    divideVector(delta, 2);
    addVectors(parameters, parameters, delta);
    communicator.start.send(delta, source, 0, { given: true });
  }
}

export const adPsgdEntry: StrategyEntry = {
  name: "adpsgd",
  summary: "average pairs of nodes while none waits for another (AD-PSGD, asynchronous)",
  options,
  traffic: () => ({
    refusal:
      "its nodes never wait for each other, so the network slows no step of theirs; it decides how old averages are",
  }),
  create: (values, optimizer) => adPsgd({ ...values, optimizer }),
};
