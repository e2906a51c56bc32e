// The options of a run's faults, as a schema: for command lines, config files and the help.

import type { FaultyRunOptions } from "@atoll/train";
import { z } from "zod";
import { choice } from "./choice.ts";
import { group } from "./group.ts";

const node = z.int().min(0);
const time = z.number().min(0);
const positive = z.number().positive();

const fault = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("straggler"),
    node,
    slowdown: z.number().min(1),
    from: time.optional(),
    until: time.optional(),
  }),
  z.strictObject({ kind: z.literal("crash"), node, at: time, rejoin: time.optional() }),
  z.strictObject({
    kind: z.literal("linkDown"),
    nodes: z.tuple([node, node]),
    from: time,
    until: time.optional(),
  }),
  z.strictObject({
    kind: z.literal("partition"),
    groups: z.array(z.array(node)).min(1),
    from: time,
    until: time.optional(),
  }),
]);

const onAndOff = (example: string) =>
  group(example, {
    uptime: positive.describe("mean simulated seconds between two, exponentially distributed"),
    downtime: positive.describe("mean simulated seconds that one lasts, exponentially distributed"),
  });

const whenMissing = choice(
  [
    { name: "strategy", summary: "what the strategy states", options: z.strictObject({}) },
    { name: "wait", summary: "nobody goes on before all are back", options: z.strictObject({}) },
    {
      name: "timeout",
      summary: "those that are there go on, some time after half of those that run came",
      options: z.strictObject({ seconds: time.default(30).describe("simulated seconds") }),
    },
    {
      name: "quorum",
      summary: "those that are there go on, some time after a part of all nodes came",
      options: z.strictObject({
        fraction: z.number().gt(0).max(1).default(0.5).describe("part of all nodes"),
        seconds: time.default(30).describe("simulated seconds"),
      }),
    },
  ],
  "strategy",
);

export const faultOptions = group("faults.churn.uptime=3600", {
  schedule: z
    .array(fault)
    .optional()
    .describe('faults at given times, such as [{"kind":"crash","node":1,"at":5,"rejoin":9}]'),
  churn: onAndOff("faults.churn.uptime=3600").optional().describe("nodes crash and rejoin at random"),
  disconnects: onAndOff("faults.disconnects.uptime=3600")
    .optional()
    .describe("nodes lose all their links at random"),
  partitions: onAndOff("faults.partitions.uptime=3600")
    .optional()
    .describe("the network falls in two at random"),
  stragglers: group("faults.stragglers.probability=0.1", {
    probability: z.number().min(0).max(1).describe("that a node is slow in an interval"),
    slowdown: z.number().min(1).describe("how many times as long its steps take then"),
    interval: positive.default(1).describe("simulated seconds"),
  })
    .optional()
    .describe("nodes are slow at random"),
  whenMissing: whenMissing.describe("what the others do when nodes are missing at an exchange"),
  recovery: z
    .enum(["peer", "checkpoint"])
    .default("peer")
    .describe("a lost node copies another's state, or all go back to the last checkpoint"),
});

/** The options of LocalTrainer.fit that they state. */
export function faultyRunOf(options: z.output<typeof faultOptions>): FaultyRunOptions {
  const { whenMissing: policy, ...rest } = options as typeof options & {
    readonly whenMissing: { readonly kind: string };
  };
  if (policy.kind === "strategy") return rest;
  return { ...rest, whenMissing: policy as NonNullable<FaultyRunOptions["whenMissing"]> };
}
