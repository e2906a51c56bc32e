// The shape of every event, to check lines that a program read from a file. The types in core's events.ts are the
// truth; `satisfies` keeps this file in step with them.

import { type ConfigTree, RECORDED_QUANTITIES, type RunEvent } from "@atoll/core";
import { z } from "zod";

/** JSON has no NaN and no infinity, and writes both as null: a null quantity was a number that is not finite. */
const quantity = z.number().or(z.null().transform(() => Number.NaN));
const count = z.number();
const isTree = (value: unknown): boolean =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const localAndGlobal = z.object({ local: quantity, global: quantity });

const link = z.object({
  source: count,
  target: count,
  /** A link without a limit has an infinite bandwidth, which JSON writes as null. */
  bandwidth: z.number().or(z.null().transform(() => Number.POSITIVE_INFINITY)),
  latency: count,
  jitter: count,
  loss: count,
});

const eventSchema = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("runStarted"),
    name: z.string(),
    strategy: z.string(),
    nodes: count,
    maxSteps: count,
    parameters: count,
    seed: count,
    config: z.custom<ConfigTree>(isTree, "expected an object"),
    startedAt: z.string(),
    resumedFrom: count,
  }),
  z.object({
    type: z.literal("topology"),
    topology: z.string(),
    profile: z.string(),
    nodes: count,
    links: z.array(link),
  }),
  z.object({
    type: z.literal("step"),
    step: count,
    loss: quantity,
    learningRate: quantity,
    examples: count,
    time: count,
    bytesSent: count,
  }),
  z.object({
    type: z.literal("collective"),
    operation: z.string(),
    algorithm: z.string(),
    ranks: z.array(count),
    ready: z.array(count),
    end: z.array(count),
    bytes: z.array(count),
    overlaps: z.literal(true).exactOptional(),
  }),
  z.object({ type: z.literal("waited"), rank: count, from: count, ready: count, end: count }),
  z.object({
    type: z.literal("evaluation"),
    step: count,
    split: z.enum(["validation", "test"]),
    time: count,
    bytesSent: count,
    loss: localAndGlobal,
    accuracy: localAndGlobal.nullable(),
  }),
  z.object({
    type: z.literal("recorded"),
    quantity: z.enum(RECORDED_QUANTITIES),
    step: count,
    time: count,
    nodes: count,
    mean: quantity,
    range: z.object({ min: quantity, max: quantity }).nullable(),
  }),
  z.object({ type: z.literal("warning"), message: z.string() }),
  z.object({
    type: z.literal("fault"),
    kind: z.enum(["crash", "recovered", "goneOn", "rolledBack", "straggler", "outage"]),
    time: count,
    ranks: z.array(count),
    message: z.string(),
    until: count.nullable().exactOptional(),
    step: count.exactOptional(),
  }),
  z.object({ type: z.literal("checkpoint"), step: count, path: z.string() }),
  z.object({
    type: z.literal("runFinished"),
    outcome: z.enum(["completed", "interrupted", "failed"]),
    message: z.string().nullable(),
    steps: count,
    simulatedSeconds: count,
    wallSeconds: count,
    nodes: z.array(z.object({ compute: count, communication: count, waiting: count })),
    bytesSent: z.array(count),
  }),
]) satisfies z.ZodType<RunEvent>;

const knownTypes: ReadonlySet<unknown> = new Set(
  eventSchema.options.flatMap((option) => [...option.shape.type.values]),
);

/**
 * Reads one line of `events.jsonl`.
 * @returns the event, or undefined for a type that this version does not know: a newer one may have written the file
 * @throws Error that says what is wrong with the line, without its place
 */
export function parseEvent(line: string): RunEvent | undefined {
  const value: unknown = JSON.parse(line);
  if (typeof value !== "object" || value === null || !("type" in value) || typeof value.type !== "string")
    throw new Error(`expected an object with a "type", got ${line.slice(0, 60)}`);
  if (!knownTypes.has(value.type)) return undefined;
  const result = eventSchema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  throw new Error(`event "${value.type}", field "${issue.path.join(".")}": ${issue.message}`);
}
