// The options of `atoll plan`, from text to what the planner takes. Network, all-reduce and strategies are those of runs.

import { ConfigError, type ConfigTree } from "@atoll/core";
import { parseConfig } from "@atoll/core/config";
import type { NetworkOptions } from "@atoll/network";
import { PLAN_SCHEDULES, type PlanOptions } from "@atoll/study";
import { defaultOptimizer, deviceProfiles, type Exchange, gptSizes, strategyEntries } from "@atoll/train";
import { z } from "zod";
import { refuseForeign } from "./choice.ts";
import { deviceName, runOptions } from "./runOptions.ts";

/** Schedules are looked at round by round, of which a ring has twice as many as nodes. */
const MOST_NODES = 4096;

const { strategy, network, allReduce, seed } = runOptions.shape;

export const planOptions = z.strictObject({
  parameters: z.int().min(1).optional().describe("elements of the model"),
  layers: z.int().min(1).max(10_000).optional().describe("layers of the model, all of one size"),
  model: z
    .enum(Object.keys(gptSizes))
    .optional()
    .describe("a GPT with the vocabulary and context of GPT-2, instead of parameters and layers"),
  stepSeconds: z.number().positive().optional().describe("seconds that a node computes for a step"),
  device: deviceName
    .optional()
    .describe("with tokens, instead of stepSeconds: 6 FLOPs a parameter and token"),
  tokens: z.int().min(1).optional().describe("of one step of one node"),
  deviceUtilization: z
    .number()
    .gt(0)
    .max(1)
    .optional()
    .describe("part of the device's peak that training reaches; 0.3 if left out"),
  nodes: z.int().min(1).max(MOST_NODES).default(2).describe("machines"),
  strategy,
  bitsPerParameter: z
    .int()
    .min(1)
    .max(64)
    .optional()
    .describe("of numbers that are sent as they are; 32, as in runs, if left out"),
  schedule: z
    .enum(PLAN_SCHEDULES)
    .default("layers")
    .describe("send each layer when its backward pass ends, or all after the step as train does"),
  maxSteps: z.int().min(1).max(1e9).default(1000).describe("steps of which the time and bytes are told"),
  network,
  allReduce,
  seed,
});

type PlanConfig = z.output<typeof planOptions>;

export interface ResolvedPlan {
  readonly strategy: string;
  /** What the strategy's bytes assume of the model. */
  readonly assumes: string | undefined;
  readonly options: PlanOptions;
  /** All options as they were resolved. */
  readonly config: ConfigTree;
}

/** @throws ConfigError that names the option */
export function resolvePlan(given: ConfigTree): ResolvedPlan {
  refuseForeign(planOptions, given);
  const config = parseConfig(planOptions, given);
  const { nodes, bitsPerParameter, schedule, maxSteps } = config;
  const { kind, ...own } = config.strategy as { readonly kind: string };
  const traffic = trafficOf(kind, own, nodes);
  const size = sizeOf(config);
  if (bitsPerParameter !== undefined) refuseUnused(traffic.exchanges, kind);
  return {
    strategy: kind,
    assumes: traffic.assumes,
    options: {
      ...size,
      stepSeconds: stepSecondsOf(config, size.parameters),
      nodes,
      exchanges: traffic.exchanges,
      bitsPerParameter,
      schedule,
      network: config.network as NetworkOptions,
      allReduce: config.allReduce,
      seed: config.seed,
      maxSteps,
    },
    config: config as unknown as ConfigTree,
  };
}

function trafficOf(
  kind: string,
  own: Readonly<Record<string, unknown>>,
  nodes: number,
): { readonly exchanges: readonly Exchange[]; readonly assumes?: string } {
  const entry = strategyEntries.find(({ name }) => name === kind)!;
  // The strategy itself knows what its options may be together.
  entry.create(own, defaultOptimizer(entry)).validate(nodes);
  const traffic = entry.traffic(own);
  if ("refusal" in traffic)
    throw new ConfigError(
      `Option "strategy": ${kind} cannot be planned: ${traffic.refusal}. Simulate it with npx atoll train.`,
    );
  return traffic;
}

/** GPT-2's. */
const VOCABULARY = 50_257;
const CONTEXT = 1024;

function sizeOf({ parameters, layers, model }: PlanConfig): Pick<PlanOptions, "parameters" | "layers"> {
  if (model !== undefined) {
    if (parameters !== undefined || layers !== undefined)
      throw new ConfigError(
        `Options "model" and "${parameters === undefined ? "layers" : "parameters"}": give one of them, not both.`,
      );
    const { layers: blocks, features } = gptSizes[model as keyof typeof gptSizes];
    const block = 12 * features ** 2 + 13 * features;
    return { layers: blocks, parameters: blocks * block + (VOCABULARY + CONTEXT + 2) * features };
  }
  if (parameters === undefined || layers === undefined)
    throw new ConfigError(
      `Option "${parameters === undefined ? "parameters" : "layers"}": expected the size of the model, got nothing. Give parameters=1e9 layers=24, or model=medium.`,
    );
  return { parameters, layers };
}

function stepSecondsOf(
  { stepSeconds, device, tokens, deviceUtilization }: PlanConfig,
  parameters: number,
): number {
  if (stepSeconds !== undefined) {
    const other = Object.entries({ device, tokens, deviceUtilization }).find(
      ([, value]) => value !== undefined,
    );
    if (other === undefined) return stepSeconds;
    throw new ConfigError(`Options "stepSeconds" and "${other[0]}": give one of them, not both.`);
  }
  if (device === undefined || tokens === undefined)
    throw new ConfigError(
      `Option "${device !== undefined ? "tokens" : tokens !== undefined ? "device" : "stepSeconds"}": expected how long a step takes, got nothing. Give stepSeconds=0.1, or device=h100 tokens=65536.`,
    );
  const { peakFlops } = deviceProfiles[device as string]!;
  return (6 * parameters * tokens) / (peakFlops * (deviceUtilization ?? 0.3));
}

/** An option that changes nothing must not look as if it did. */
function refuseUnused(exchanges: readonly Exchange[], kind: string): void {
  const bytes = (floatBytes: number): readonly number[] =>
    exchanges.map((exchange) => exchange.bytes({ elements: 1e6, layers: 1, members: 2, floatBytes }));
  const [four, eight] = [bytes(4), bytes(8)];
  if (four.some((value, i) => value !== eight[i])) return;
  throw new ConfigError(
    `Option "bitsPerParameter": strategy ${kind} sends numbers in a form of its own, so it changes nothing. Leave it out.`,
  );
}
