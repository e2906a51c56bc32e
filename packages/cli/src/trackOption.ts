// The option `track`: which trackers a run has, and their options. `track=tensorboard,wandb` names some; an option of one
// (`track.wandb.project=scaling`) asks for that one too, so that no option is without effect.

import { trackerEntries } from "@atoll/train/node";
import { z } from "zod";

/** A tracker's options, by name; trackers that are not wanted are absent. */
export type TrackConfig = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

const shape = Object.fromEntries(
  trackerEntries.map(({ name, summary, options }) => [name, options.optional().describe(summary)]),
);

/** Names in a list become trackers without options: "tensorboard,wandb" is { tensorboard: {}, wandb: {} }. */
function spelledOut(value: unknown): unknown {
  if (typeof value === "string" || Array.isArray(value)) return byName(value);
  if (typeof value !== "object" || value === null || !("kind" in value)) return value;
  const { kind, ...others } = value;
  return { ...(byName(kind) as object), ...others };
}

function byName(list: unknown): unknown {
  const names = typeof list === "string" ? list.split(",") : list;
  if (!Array.isArray(names)) return list;
  return Object.fromEntries(
    names
      .map(String)
      .filter((name) => name !== "")
      .map((name) => [name.trim(), {}]),
  );
}

export const track: z.ZodType<TrackConfig | undefined> = z
  .preprocess(
    spelledOut,
    z.strictObject(shape, {
      error: ({ code }) =>
        code === "invalid_type" ? "expected names, as track=tensorboard,wandb" : undefined,
    }),
  )
  .optional() as z.ZodType<TrackConfig | undefined>;
