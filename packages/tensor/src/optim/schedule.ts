// Learning-rate schedules: functions of the number of updates done so far. Names and formulas are Optax's.

import { ConfigError, type ConfigTree } from "@atoll/core";

/** The learning rate for the next update when `count` updates are done. */
export interface Schedule {
  (count: number): number;
  /** The schedule as it goes into config.json; absent on a plain function. */
  readonly config?: ConfigTree;
}

const named = (kind: string, options: ConfigTree, schedule: (count: number) => number): Schedule =>
  Object.assign(schedule, { config: { kind, ...options } });

function requireSteps(schedule: string, name: string, value: number, least: number): void {
  if (!Number.isInteger(value) || value < least)
    throw new ConfigError(
      `${schedule}: expected ${name} to be a whole number of at least ${least}, got ${value}.`,
    );
}

/** The same learning rate for every update. */
export const constantSchedule = (value: number): Schedule => named("constant", { value }, () => value);

/** `count / warmupSteps · peak`, then `peak`. The first update has learning rate 0 unless warmupSteps is 0. */
export function linearWarmup(options: { readonly peak: number; readonly warmupSteps: number }): Schedule {
  const { peak, warmupSteps } = options;
  requireSteps("linearWarmup", "warmupSteps", warmupSteps, 0);
  return named("linearWarmup", { ...options }, (count) =>
    count < warmupSteps ? (peak * count) / warmupSteps : peak,
  );
}

/** `end + (peak − end) · (1 + cos(π · count / totalSteps)) / 2`, then `end`. Loshchilov and Hutter, "SGDR" (2017), eq. 5. */
export function cosine(options: {
  readonly peak: number;
  readonly totalSteps: number;
  readonly end?: number;
}): Schedule {
  const { peak, totalSteps, end = 0 } = options;
  requireSteps("cosine", "totalSteps", totalSteps, 1);
  return named("cosine", { peak, totalSteps, end }, (count) => {
    const progress = Math.min(count / totalSteps, 1);
    return end + ((peak - end) * (1 + Math.cos(Math.PI * progress))) / 2;
  });
}

/** `linearWarmup` over the first `warmupSteps` updates, then `cosine` over those that are left of `totalSteps`. */
export function warmupCosine(options: {
  readonly peak: number;
  readonly warmupSteps: number;
  readonly totalSteps: number;
  readonly end?: number;
}): Schedule {
  const { peak, warmupSteps, totalSteps, end = 0 } = options;
  requireSteps("warmupCosine", "totalSteps", totalSteps, warmupSteps + 1);
  const warmup = linearWarmup({ peak, warmupSteps });
  const decay = cosine({ peak, totalSteps: totalSteps - warmupSteps, end });
  return named("warmupCosine", { peak, warmupSteps, totalSteps, end }, (count) =>
    count < warmupSteps ? warmup(count) : decay(count - warmupSteps),
  );
}

/** A learning rate given as a number or as a schedule. */
export function toSchedule(learningRate: number | Schedule): Schedule {
  if (typeof learningRate === "function") return learningRate;
  if (!Number.isFinite(learningRate) || learningRate < 0)
    throw new ConfigError(`learningRate: expected a number of at least 0, got ${learningRate}.`);
  return constantSchedule(learningRate);
}

/** A schedule for config.json: a constant as its number, a plain function as what it is. */
export function scheduleConfig({ config }: Schedule): ConfigTree | number | string {
  if (config === undefined) return "function";
  return config.kind === "constant" ? (config.value as number) : config;
}
