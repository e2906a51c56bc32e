// Federated averaging, also known as local SGD: H local steps, then the nodes' parameters are averaged.
// Source: McMahan et al., "Communication-efficient learning of deep networks from decentralized data"
// (arXiv 1602.05629), algorithm 1. Islands follow EXO Gym: each round averages inside randomly drawn groups only.

import { ConfigError } from "@atoll/core";
import { parseConfig } from "@atoll/core/config";
import { adamW, type Optimizer } from "@atoll/tensor";
import { z } from "zod";
import { islandOf } from "./islands.ts";
import { steps } from "./optionSchemas.ts";
import { stepsUntil } from "./outerStep.ts";
import { NO_STATE, type ParameterStrategy, type StrategyEntry, type StrategyNode } from "./strategy.ts";
import { reduced, type Traffic } from "./traffic.ts";
import { QUORUM } from "./whenMissing.ts";

/** Options of averaging, for configs; shared by FedAvg's relatives. */
export const averagingOptions: {
  readonly H: z.ZodDefault<z.ZodInt>;
  readonly islandSize: z.ZodOptional<z.ZodInt>;
  readonly weighting: z.ZodDefault<z.ZodEnum<{ examples: "examples"; share: "share" }>>;
} = {
  H: steps(1, "local steps between two averages"),
  islandSize: z
    .int()
    .min(1)
    .optional()
    .describe("nodes that average together in a round; all of them if left out"),
  weighting: z
    .enum(["examples", "share"])
    .default("examples")
    .describe(
      "weigh nodes by the examples trained on since the last average (equal batches: the plain mean), or by their share of the data",
    ),
};

const options = z.strictObject(averagingOptions);

export interface FedAvgOptions {
  /** Local steps between two averages. Default 1. */
  readonly H?: number;
  /** Nodes that average together in a round. Default all. */
  readonly islandSize?: number;
  /** What a node counts for: the examples it trained on, or its share of the data. Default "examples". */
  readonly weighting?: "examples" | "share";
  /** The optimizer of the local steps. Default AdamW. */
  readonly optimizer?: Optimizer;
}

/**
 * Every H steps θ ← Σₖ wₖ θₖ. All nodes train on equally many examples a step, so `weighting: "examples"` is the mean;
 * `weighting: "share"` takes wₖ = nₖ/n from the sizes of the nodes' data, as in the paper.
 * With `islandSize`, a shuffle of the ranks that all nodes draw alike cuts each round's nodes into groups of that size
 * (the last one may be smaller), and the mean is taken inside each group.
 *
 * Bytes a node sends with a ring: 2(M−1)/M · 4P every H steps, M the size of its group.
 * @throws ConfigError if H < 1, or if an island is larger than the world.
 */
export function fedAvg({ optimizer = adamW(), ...given }: FedAvgOptions = {}): ParameterStrategy {
  const { H, islandSize, weighting } = parseConfig(options, given, "strategy");
  return {
    kind: "parameter",
    name: "fedavg",
    config: { kind: "fedavg", H, weighting, ...(islandSize === undefined ? {} : { islandSize }) },
    optimizer,
    whenMissing: QUORUM,
    validate(worldSize) {
      if (islandSize !== undefined && islandSize > worldSize)
        throw new ConfigError(
          `Option "strategy.islandSize": expected at most the number of nodes (${worldSize}), got ${islandSize}. Lower it, or raise nodes.`,
        );
    },
    records: ["outerCosine"],
    init(node) {
      beginRecordedRound(node);
      return NO_STATE;
    },
    localSteps: (step) => stepsUntil(step, H),
    async synchronise(node) {
      recordRound(node);
      await average(node);
      beginRecordedRound(node);
    },
  };

  async function average(node: StrategyNode): Promise<void> {
    const members = islandOf(node, islandSize, Math.floor(node.step / H));
    const group = members === undefined ? node.communicator : node.communicator.group(members);
    if (weighting === "examples") return group.allReduce(node.parameters, { op: "mean" });
    const total = new Float32Array([node.share]);
    await group.allReduce(total, { op: "sum" });
    const weight = node.share / total[0]!;
    for (let i = 0; i < node.parameters.length; i++) node.parameters[i]! *= weight;
    await group.allReduce(node.parameters, { op: "sum" });
  }
}

/** A run that records outer gradients remembers where a round began: averaging itself has no use for it. */
function beginRecordedRound({ record, parameters }: StrategyNode): void {
  if (record?.outerGradient === undefined) return;
  const { memory } = record;
  if (memory.roundStart === undefined) memory.roundStart = Float32Array.from(parameters);
  else memory.roundStart.set(parameters);
}

function recordRound({ record, parameters }: StrategyNode): void {
  const start = record?.memory.roundStart;
  if (start !== undefined) record?.outerGradient?.(start.map((value, i) => value - parameters[i]!));
}

/** What averaging with these options sends: the parameters, and before them the weights of `weighting: "share"`. */
export function averagingTraffic(options: Readonly<Record<string, unknown>>): Traffic {
  const { H: every, islandSize: groupSize, weighting } = z.object(averagingOptions).parse(options);
  const among = groupSize === undefined ? { every } : { every, groupSize };
  const weights = reduced({ ...among, bytes: ({ floatBytes }) => floatBytes });
  return { exchanges: [...(weighting === "share" ? [weights] : []), reduced(among)] };
}

export const fedAvgEntry: StrategyEntry = {
  name: "fedavg",
  summary: "H local steps, then average the parameters (FedAvg, local SGD)",
  options,
  traffic: averagingTraffic,
  create: (values, optimizer) => fedAvg({ ...values, optimizer }),
};
