// Stochastic gradient push: after every step each node pushes a part of its parameters to one other or a few, and what it
// cannot know, how much weight it has been given, it counts as well (push-sum). There is no collective.
// Source: Assran et al., "Stochastic gradient push for distributed deep learning" (arXiv 1811.10792), algorithm 1; with
// `overlap`, its algorithm 2 in which every message is awaited exactly so many rounds later.

import { ConfigError } from "@atoll/core";
import { parseConfig } from "@atoll/core/config";
import { adamW, type Optimizer } from "@atoll/tensor";
import { z } from "zod";
import { messagePool } from "./messagePool.ts";
import { steps } from "./optionSchemas.ts";
import { preparation, scratchPerNode } from "./preparation.ts";
import {
  mostPeers,
  type Neighbours,
  neighboursOf,
  type PushGraph,
  peersAmong,
  pushGraphs,
} from "./pushGraph.ts";
import type { ParameterStrategy, StrategyEntry, StrategyNode } from "./strategy.ts";
import { GO_ON, type MissingPolicy } from "./whenMissing.ts";

const options = z.strictObject({
  peers: steps(1, "nodes that each node sends to in a step"),
  graph: z.enum(pushGraphs).default("exponential").describe("whom a node sends to"),
  overlap: z.int().min(0).default(0).describe("steps after which a message is awaited (τ)"),
});

const STOP_OVERLAPPED: MissingPolicy = {
  kind: "stop",
  reason: "with overlap above 0 they wait for messages of rounds in which others took part",
};

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
 * and w are cut into peers + 1 equal parts: one is kept, one goes to each peer, and the parts of the nodes before it in the
 * graph are added, in a fixed order. (What is sent is x and w; the receiver takes the part, which is the same for all.)
 * Nodes wait for those messages: of this step, or of the step `overlap` earlier, so that they travel while the next gradients
 * are computed. Σx and Σw over nodes and messages in flight are conserved.
 *
 * State: w, each node's own. In the graphs `exponential` and `ring`, where each node hears from as many as it sends to, all
 * weights stay 1 unless messages overlap; else `start` (z before the local step), from which with w comes x.
 *
 * Bytes a node sends: 4(P + 1) to each peer every step, the weight being one float. On one node it is the optimizer alone,
 * on two with one peer it averages both.
 * @throws ConfigError if an option is out of its range, or if the graph has fewer peers for each of so many nodes.
 */
export function sgp({ optimizer = adamW(), ...given }: SgpOptions = {}): ParameterStrategy {
  const { peers, graph, overlap } = parseConfig(options, given, "strategy");
  const pool = messagePool(1);
  const neighbours = (node: StrategyNode, round: number): Neighbours => {
    const { rank, worldSize } = node.communicator;
    return neighboursOf(rank, { graph, peers, round, worldSize, random: node.sharedRandom });
  };
  /** Messages that have been read when the next ones are written. */
  const received = scratchPerNode((): Float32Array[] => []);
  /** The messages of a step, without the weights: x for each peer. The parameters are x, too, until they are averaged. */
  const messages = preparation(async (node, { tensors: { start }, values }) => {
    const { parameters: z, local, communicator } = node;
    const count = peersAmong(communicator.worldSize, { graph, peers });
    if (count === 0) return [];
    const copies = Array.from({ length: count }, () => received(node).pop() ?? pool.take(node));
    const parts = copies.map((copy, i) => [i, copy.subarray(0, z.length)] as const);
    const vectors = {
      ...Object.fromEntries(parts),
      from: z,
      ...(start === undefined ? {} : { added: start }),
    };
    // The local step has made z + u of z, and x + u is wz + u.
    await local.until(
      local.run({ operation: "shiftAndCopy", vectors, numbers: { factor: values.weight! - 1 } }),
    );
    return copies;
  });
  return {
    kind: "parameter",
    name: "sgp",
    config: { kind: "sgp", peers, graph, overlap },
    optimizer,
    whenMissing: overlap === 0 ? GO_ON : STOP_OVERLAPPED,
    validate(worldSize) {
      const most = mostPeers(graph, worldSize);
      if (worldSize > 1 && peers > most)
        throw new ConfigError(
          `Option "strategy.peers": expected at most ${most} in the graph "${graph}" of ${worldSize} nodes, got ${peers}. Lower it, or raise nodes.`,
        );
    },
    init: ({ parameters }) => ({
      tensors: graph === "random" || overlap > 0 ? { start: Float32Array.from(parameters) } : {},
      values: { weight: 1 },
    }),
    localSteps: () => 1,
    prepare: messages.prepare,
    async synchronise(node, state) {
      const { tensors, values } = state;
      const { parameters: z, communicator, step, local } = node;
      if (communicator.worldSize === 1) return;
      const { start } = tensors;
      const weight = values.weight!;
      const round = step - 1;
      const { out } = neighbours(node, round);
      for (const [i, message] of (await messages.take(node, state)).entries()) {
        const target = out[i]!;
        message[z.length] = weight;
        communicator.start.send(message, target, round, { given: true });
      }
      for (const unused of received(node).splice(0)) pool.giveBack(node, unused);
      const sources = round < overlap ? [] : neighbours(node, round - overlap).in;
      let total = weight;
      for (const [i, source] of sources.entries()) {
        const { vector } = await communicator.recv(source, round - overlap);
        const x = vector.subarray(0, z.length);
        total += vector[z.length]!;
        // Both sums are of so many parts, and z is the ratio of the two.
        const last = i === sources.length - 1;
        const factor = last ? 1 / total : 1;
        const vectors = { a: z, b: x };
        // With one part of each, as is usual, in half the time.
        void local.later(
          factor === 0.5
            ? { operation: "average", vectors, numbers: {} }
            : { operation: "decayAndAdd", vectors, numbers: { decay: factor, factor } },
        );
        received(node).push(vector);
      }
      if (sources.length === 0)
        void local.later({ operation: "divide", vectors: { a: z }, numbers: { by: Math.fround(total) } });
      values.weight = Math.fround(total / (out.length + 1));
      if (start !== undefined)
        void local.later({ operation: "copy", vectors: { to: start, from: z }, numbers: {} });
    },
  };
}

export const sgpEntry: StrategyEntry = {
  name: "sgp",
  summary: "every step push a share of the parameters to one peer or a few (stochastic gradient push)",
  options,
  traffic: ({ peers, overlap, graph }) => ({
    exchanges: [
      {
        operation: "send",
        every: 1,
        delay: Number(overlap),
        peers: Number(peers),
        ...(graph === "ring" ? { distances: (worldSize) => (peers === 1 ? [1] : [1, worldSize - 1]) } : {}),
        bytes: ({ elements, floatBytes }) => floatBytes * (elements + 1),
      },
    ],
  }),
  create: (values, optimizer) => sgp({ ...values, optimizer }),
};
