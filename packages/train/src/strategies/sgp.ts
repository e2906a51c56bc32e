// Stochastic gradient push: after every step each node pushes a part of its parameters to one other or a few, and what it
// cannot know, how much weight it has been given, it counts as well (push-sum). There is no collective.
// Source: Assran et al., "Stochastic gradient push for distributed deep learning" (arXiv 1811.10792), algorithm 1; with
// `overlap`, its algorithm 2 in which every message is awaited exactly so many rounds later.

import { ConfigError } from "@atoll/core";
import { parseConfig } from "@atoll/core/config";
import { adamW, type Optimizer } from "@atoll/tensor";
import { z } from "zod";
import { steps } from "./optionSchemas.ts";
import { mostPeers, type Neighbours, neighboursOf, type PushGraph, pushGraphs } from "./pushGraph.ts";
import type { ParameterStrategy, StrategyEntry, StrategyNode, StrategyState } from "./strategy.ts";

const options = z.strictObject({
  peers: steps(1, "nodes that each node sends to in a step"),
  graph: z.enum(pushGraphs).default("exponential").describe("whom a node sends to"),
  overlap: z.int().min(0).default(0).describe("steps after which a message is awaited (τ)"),
});

export interface SgpOptions {
  /** Nodes that each node sends to in a step. Default 1. */
  readonly peers?: number;
  /** Whom a node sends to. Default "exponential". */
  readonly graph?: PushGraph;
  /** Steps after which a message is awaited (τ). Default 0: in the step that sends it. */
  readonly overlap?: number;
  /** The optimizer of the local steps. Default AdamW. */
  readonly optimizer?: Optimizer;
}

/**
 * Each node has a numerator x and a weight w, at first 1; its parameters are z = x/w. A step takes the gradient at z and adds
 * what the optimizer makes of it to x (what it adds beside the gradient, such as weight decay, it takes from z too); then x
 * and w are cut into peers + 1 equal parts: one is kept, one goes to each peer, and what the nodes before it in the graph
 * have sent is added, in a fixed order. Nodes wait for those messages: of this step, or of the step `overlap` earlier, so
 * that they travel while the next gradients are computed. Σx and Σw over nodes and messages in flight are conserved.
 * State: `numerator` (x), each node's own, and the weight.
 *
 * Bytes a node sends: 4(P + 1) to each peer every step, the weight being one float. On one node it is the optimizer alone,
 * on two with one peer it averages both.
 * @throws ConfigError if an option is out of its range, or if the graph has fewer peers for each of so many nodes.
 */
export function sgp({ optimizer = adamW(), ...given }: SgpOptions = {}): ParameterStrategy {
  const { peers, graph, overlap } = parseConfig(options, given, "strategy");
  const neighbours = (node: StrategyNode, round: number): Neighbours => {
    const { rank, worldSize } = node.communicator;
    return neighboursOf(rank, { graph, peers, round, worldSize, random: node.sharedRandom });
  };
  return {
    kind: "parameter",
    name: "sgp",
    config: { kind: "sgp", peers, graph, overlap },
    optimizer,
    validate(worldSize) {
      const most = mostPeers(graph, worldSize);
      if (worldSize > 1 && peers > most)
        throw new ConfigError(
          `Option "strategy.peers": expected at most ${most} in the graph "${graph}" of ${worldSize} nodes, got ${peers}. Lower it, or raise nodes.`,
        );
    },
    init: ({ parameters }) => ({
      tensors: { numerator: Float32Array.from(parameters) },
      values: { weight: 1 },
    }),
    localSteps: () => 1,
    async synchronise(node, state) {
      const round = node.step - 1;
      addLocalStep(node.parameters, state);
      push(node, state, neighbours(node, round).out);
      if (round >= overlap) await collect(node, state, neighbours(node, round - overlap).in);
      const { weight } = state.values;
      const x = state.tensors.numerator!;
      for (let i = 0; i < x.length; i++) node.parameters[i] = x[i]! / weight!;
    },
  };
}

/** x ← x + (what the local step has added to z). */
function addLocalStep(parameters: Float32Array, { tensors, values }: StrategyState): void {
  const x = tensors.numerator!;
  const weight = values.weight!;
  for (let i = 0; i < x.length; i++) x[i]! += parameters[i]! - Math.fround(x[i]! / weight);
}

/** Keeps one part of (x, w) and sends one to each of the others. */
function push(
  { communicator }: StrategyNode,
  { tensors, values }: StrategyState,
  out: Neighbours["out"],
): void {
  const x = tensors.numerator!;
  const part = 1 / (out.length + 1);
  for (let i = 0; i < x.length; i++) x[i]! *= part;
  values.weight = Math.fround(values.weight! * part);
  const message = new Float32Array(x.length + 1);
  message.set(x);
  message[x.length] = values.weight;
  for (const target of out) communicator.start.send(message, target);
}

/** Adds what those have sent who are first to be heard of next. */
async function collect(
  { communicator }: StrategyNode,
  { tensors, values }: StrategyState,
  sources: Neighbours["in"],
): Promise<void> {
  const x = tensors.numerator!;
  for (const source of sources) {
    const { vector } = await communicator.recv(source);
    for (let i = 0; i < x.length; i++) x[i]! += vector[i]!;
    values.weight = Math.fround(values.weight! + vector[x.length]!);
  }
}

export const sgpEntry: StrategyEntry = {
  name: "sgp",
  summary: "every step push a share of the parameters to one peer or a few (stochastic gradient push)",
  options,
  create: (values, optimizer) => sgp({ ...values, optimizer }),
};
