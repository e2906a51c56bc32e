// How long a training step takes on the virtual clock: from a device profile (FLOPs of the traced step over the
// device's sustained rate), or from durations that were measured on a real machine and recorded.
// Nodes may differ: by their devices, by given speeds, or by speeds drawn once from the seed.
// Either way a step's time is a distribution, never a constant: ignoring compute variability alone puts the predicted
// time of a distributed step off by a quarter (arXiv 2401.09877). Every draw depends on (seed, rank, step) only.

import {
  ConfigError,
  type ConfigTree,
  type Random,
  type Rank,
  type Seconds,
  seconds,
  unknownName,
} from "@atoll/core";

export interface DeviceProfile {
  readonly description: string;
  /** Dense peak of the arithmetic that training uses there, in FLOP/s. */
  readonly peakFlops: number;
}

/** Vendors' data-sheet peaks: bf16 dense tensor-core rates for the data-center GPUs, fp32 elsewhere. */
export const deviceProfiles: Readonly<Record<string, DeviceProfile>> = {
  laptop: { description: "8-core laptop CPU, fp32 with AVX2 at 3 GHz", peakFlops: 0.77e12 },
  m4: { description: "Apple M4, 10-core GPU, fp32", peakFlops: 4.26e12 },
  "4090": { description: "NVIDIA GeForce RTX 4090, bf16", peakFlops: 165e12 },
  a100: { description: "NVIDIA A100 SXM, bf16", peakFlops: 312e12 },
  h100: { description: "NVIDIA H100 SXM, bf16", peakFlops: 989e12 },
  h200: { description: "NVIDIA H200 SXM, bf16", peakFlops: 989e12 },
};

/** How nodes differ from each other, whatever their steps' times come from. */
export interface SpeedOptions {
  /** Each node's speed relative to the model's, by rank; one for every node. A node of speed 0.5 takes twice the time. */
  readonly speeds?: readonly number[] | undefined;
  /** Coefficient of variation of the nodes' speeds, drawn once a node, log-normal with mean 1. Default 0: all alike. */
  readonly heterogeneity?: number | undefined;
}

export interface DeviceOptions extends SpeedOptions {
  readonly kind: "device";
  /** A name from `deviceProfiles`. */
  readonly device: string;
  /** Each node's own device instead, by rank; one for every node. */
  readonly devices?: readonly string[] | undefined;
  /** Part of the peak that training reaches (model FLOPs utilisation), in (0, 1]. */
  readonly utilization: number;
  /** Coefficient of variation of a step's time; 0 makes it constant. */
  readonly variability: number;
}

export interface MeasuredOptions extends SpeedOptions {
  readonly kind: "measured";
  /** Step durations in seconds; a step draws one of them. Left out: they are measured before the run. */
  readonly durations?: readonly number[] | undefined;
}

/** Steps take the time that they take: of runs whose nodes are real processes. */
export interface RealOptions extends SpeedOptions {
  readonly kind: "real";
}

export type ComputeOptions = DeviceOptions | MeasuredOptions | RealOptions;

export const defaultCompute: ComputeOptions = {
  kind: "device",
  device: "laptop",
  utilization: 0.3,
  variability: 0.05,
};

export interface ComputeModel {
  /** Duration of the step after `step` steps done, on `rank`; on a real clock the least that it may take. */
  stepSeconds(rank: Rank, step: number): Seconds;
  /** How many times as long real work on `rank` is made to take, on a real clock. */
  slowdown(rank: Rank): number;
  /** The measured durations that steps draw from; null for a device's model. */
  readonly durations: readonly number[] | null;
  readonly config: ConfigTree;
}

/** @throws ConfigError for an unknown device, a number out of its range, or lists that do not fit the nodes. */
export function checkCompute(options: ComputeOptions, nodes: number): void {
  checkSpeeds(options, nodes);
  if (options.kind !== "device") return;
  const { device, devices, utilization, variability } = options;
  for (const name of devices ?? [device])
    if (!Object.hasOwn(deviceProfiles, name)) throw unknownName("device", name, Object.keys(deviceProfiles));
  if (devices !== undefined) checkLength("devices", devices, nodes);
  if (!(utilization > 0 && utilization <= 1))
    throw new ConfigError(`Option "compute.utilization": expected a number in (0, 1], got ${utilization}.`);
  checkSpread("variability", variability);
}

function checkSpeeds({ speeds, heterogeneity = 0 }: SpeedOptions, nodes: number): void {
  checkSpread("heterogeneity", heterogeneity);
  if (speeds === undefined) return;
  if (heterogeneity > 0)
    throw new ConfigError(
      `Options "compute.speeds" and "compute.heterogeneity" (${heterogeneity}): give one of them, not both.`,
    );
  checkLength("speeds", speeds, nodes);
  const bad = speeds.find((speed) => !(speed > 0 && speed < Number.POSITIVE_INFINITY));
  if (bad !== undefined)
    throw new ConfigError(`Option "compute.speeds": expected speeds above 0, such as [1,0.5], got ${bad}.`);
}

function checkLength(name: string, list: readonly unknown[], nodes: number): void {
  if (list.length === nodes) return;
  throw new ConfigError(
    `Option "compute.${name}": expected one for each of the ${nodes} nodes, got ${list.length}. Give as many as nodes, in the order of their ranks.`,
  );
}

/** Far more than machines differ by; and their draws stay numbers. */
const MOST_SPREAD = 100;

function checkSpread(name: string, value: number): void {
  if (value >= 0 && value <= MOST_SPREAD) return;
  throw new ConfigError(
    `Option "compute.${name}": expected a coefficient of variation from 0 to ${MOST_SPREAD}, got ${value}.`,
  );
}

/**
 * Log-normal with mean 1: positive, with a tail to the high side.
 * @param spread coefficient of variation
 */
function logNormal(random: Random, spread: number): number {
  const sigma = Math.sqrt(Math.log1p(spread ** 2));
  return Math.exp(sigma * random.normal() - sigma ** 2 / 2);
}

/** Each node's speed; empty if all are 1. */
function speedsOf(
  { speeds, heterogeneity = 0 }: SpeedOptions,
  nodes: number,
  random: Random,
): readonly number[] {
  if (speeds !== undefined) return speeds;
  if (heterogeneity === 0) return [];
  return Array.from({ length: nodes }, (_, rank) => logNormal(random.derive("speed", rank), heterogeneity));
}

export interface ComputeContext {
  readonly nodes: number;
  /** Floating-point operations of one node's step, forward and backward, from the traced program. */
  readonly flopsPerStep: number;
  /** The run's stream for compute times. */
  readonly random: Random;
}

/**
 * The time model of one run.
 * @throws ConfigError as `checkCompute`, and for an empty list of durations
 */
export function createComputeModel(
  options: ComputeOptions,
  { nodes, flopsPerStep, random }: ComputeContext,
): ComputeModel {
  checkCompute(options, nodes);
  const draw = (rank: Rank, step: number): Random => random.derive("step", rank, step);
  const { heterogeneity = 0 } = options;
  const speeds = speedsOf(options, nodes, random);
  const speed = (rank: Rank): number => speeds[rank] ?? 1;
  const spread = speeds.length === 0 ? {} : { heterogeneity, speeds };
  if (options.kind === "real")
    return {
      stepSeconds: () => seconds(0),
      slowdown: (rank) => 1 / speed(rank),
      durations: null,
      config: { kind: "real", ...spread },
    };
  if (options.kind === "measured") {
    const { durations = [] } = options;
    if (durations.length === 0)
      throw new ConfigError(
        "Compute model: expected at least one measured duration, got none. Measure again.",
      );
    return {
      stepSeconds: (rank, step) =>
        seconds(durations[draw(rank, step).integer(durations.length)]! / speed(rank)),
      slowdown: () => 1,
      durations,
      config: { kind: "measured", durations, ...spread },
    };
  }
  const { device, devices, utilization, variability } = options;
  const onDevice = (name: string): number => flopsPerStep / (deviceProfiles[name]!.peakFlops * utilization);
  const own = devices?.map(onDevice);
  const usual = onDevice(device);
  const mean = (rank: Rank): number => own?.[rank] ?? usual;
  const ranks = Array.from({ length: nodes }, (_, rank) => rank);
  return {
    stepSeconds: (rank, step) =>
      seconds((mean(rank) * logNormal(draw(rank, step), variability)) / speed(rank)),
    slowdown: () => 1,
    durations: null,
    config: {
      kind: "device",
      ...(devices === undefined ? { device } : { devices }),
      utilization,
      variability,
      ...spread,
      flopsPerStep,
      ...(own === undefined && speeds.length === 0
        ? { meanStepSeconds: usual }
        : { meanStepSecondsByNode: ranks.map((rank) => mean(rank) / speed(rank)) }),
    },
  };
}
