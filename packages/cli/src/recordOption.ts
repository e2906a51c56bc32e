// The option `record`: a list of what is recorded beside losses, `record=correlation,gradientNorm`, and how often,
// `record.interval=10`.

import { RECORDED_QUANTITIES, type RecordedQuantity } from "@atoll/core";
import { z } from "zod";

export interface RecordConfig {
  readonly quantities: readonly RecordedQuantity[];
  readonly interval?: number | undefined;
}

const isKnown = (name: string): boolean => (RECORDED_QUANTITIES as readonly string[]).includes(name);
const expected = `expected some of ${RECORDED_QUANTITIES.join(", ")}, as record=correlation,gradientNorm`;

/** "correlation,gradientNorm" is { quantities: ["correlation", "gradientNorm"] }. */
function spelledOut(value: unknown): unknown {
  if (typeof value === "string") return { quantities: value.split(",").map((name) => name.trim()) };
  if (Array.isArray(value)) return { quantities: value };
  if (typeof value !== "object" || value === null || !("kind" in value)) return value;
  const { kind, ...others } = value;
  return { ...(spelledOut(kind) as object), ...others };
}

const options = z
  .strictObject(
    {
      quantities: z.array(z.string()).optional(),
      interval: z.int().min(1).optional(),
    },
    { error: ({ code }) => (code === "invalid_type" ? expected : undefined) },
  )
  .refine(({ quantities = [] }) => quantities.length > 0 && quantities.every(isKnown), { error: expected });

export const record: z.ZodType<RecordConfig | undefined> = z
  .preprocess(spelledOut, options)
  .optional() as z.ZodType<RecordConfig | undefined>;
