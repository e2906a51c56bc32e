// How long a training step takes on the virtual clock: from a device profile (FLOPs of the traced step over the
// device's sustained rate), or from durations that were measured on a real machine and recorded.
// Either way a step's time is a distribution, never a constant: ignoring compute variability alone puts the predicted
// time of a distributed step off by a quarter (arXiv 2401.09877). Every draw depends on (seed, rank, step) only.

import { ConfigError, type ConfigTree, type Random, type Rank, type Seconds, seconds } from "@atoll/core";

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

export type ComputeOptions =
  | {
      readonly kind: "device";
      /** A name from `deviceProfiles`. */
      readonly device: string;
      /** Part of the peak that training reaches (model FLOPs utilisation), in (0, 1]. */
      readonly utilization: number;
      /** Coefficient of variation of a step's time; 0 makes it constant. */
      readonly variability: number;
    }
  | {
      readonly kind: "measured";
      /** Step durations in seconds; a step draws one of them. Left out: they are measured before the run. */
      readonly durations?: readonly number[];
    };

export const defaultCompute: ComputeOptions = {
  kind: "device",
  device: "laptop",
  utilization: 0.3,
  variability: 0.05,
};

export interface ComputeModel {
  /** Duration of the step after `step` steps done, on `rank`. */
  stepSeconds(rank: Rank, step: number): Seconds;
  /** The measured durations that steps draw from; null for a device's model. */
  readonly durations: readonly number[] | null;
  readonly config: ConfigTree;
}

/**
 * The time model of one run.
 * @param flopsPerStep floating-point operations of one node's step, forward and backward, from the traced program
 * @param random the run's stream for compute times
 * @throws ConfigError for an unknown device, a utilisation outside (0, 1], or an empty list of durations
 */
export function createComputeModel(
  options: ComputeOptions,
  flopsPerStep: number,
  random: Random,
): ComputeModel {
  const draw = (rank: Rank, step: number): Random => random.derive("step", rank, step);
  if (options.kind === "measured") {
    const { durations = [] } = options;
    if (durations.length === 0)
      throw new ConfigError(
        "Compute model: expected at least one measured duration, got none. Measure again.",
      );
    return {
      stepSeconds: (rank, step) => seconds(durations[draw(rank, step).integer(durations.length)]!),
      durations,
      config: { kind: "measured", durations },
    };
  }
  const { device, utilization, variability } = options;
  const profile = deviceProfiles[device];
  if (!profile)
    throw new ConfigError(`Unknown device "${device}". Known: ${Object.keys(deviceProfiles).join(", ")}.`);
  if (!(utilization > 0 && utilization <= 1))
    throw new ConfigError(`Option "compute.utilization": expected a number in (0, 1], got ${utilization}.`);
  const mean = flopsPerStep / (profile.peakFlops * utilization);
  // Log-normal with mean 1 and coefficient of variation `variability`: positive, with a tail to the slow side.
  const sigma = Math.sqrt(Math.log1p(variability ** 2));
  return {
    stepSeconds: (rank, step) => seconds(mean * Math.exp(sigma * draw(rank, step).normal() - sigma ** 2 / 2)),
    durations: null,
    config: { kind: "device", device, utilization, variability, flopsPerStep, meanStepSeconds: mean },
  };
}
