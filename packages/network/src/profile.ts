// Network profiles: what the links of a kind of network are like. A range means that each link's value is drawn from
// the seed, uniformly on a logarithmic scale. A user names a profile and may replace any of its four properties.

import { ConfigError, unknownName } from "@atoll/core";
import type { TraceOptions } from "./trace.ts";

export type ProfileName = "local" | "datacenter" | "wan" | "cross-continental" | "mobile" | "poor";

/** Lowest and highest value; equal ends mean an exact value. */
export type Range = readonly [low: number, high: number];

export interface LinkRanges {
  /** Bytes per second in each direction. */
  readonly bandwidth: Range;
  /** Seconds, one way. */
  readonly latency: Range;
  /** Half-width of the latency's spread as a fraction of it, from 0 to 1. */
  readonly jitter: Range;
  /** Probability that a packet is lost, from 0 to 0.9: beyond that hardly anything ever gets through. */
  readonly loss: Range;
}

export const PROFILES: Readonly<Record<ProfileName, LinkRanges>> = {
  local: { bandwidth: [1e9, 10e9], latency: [1e-4, 1e-3], jitter: [0.01, 0.05], loss: [0, 0] },
  datacenter: { bandwidth: [100e6, 1000e6], latency: [5e-4, 5e-3], jitter: [0.01, 0.05], loss: [1e-5, 1e-3] },
  wan: { bandwidth: [10e6, 100e6], latency: [0.01, 0.05], jitter: [0.1, 0.2], loss: [1e-4, 1e-3] },
  "cross-continental": {
    bandwidth: [10e6, 100e6],
    latency: [0.1, 0.5],
    jitter: [0.1, 0.2],
    loss: [1e-3, 0.01],
  },
  mobile: { bandwidth: [1e6, 10e6], latency: [0.05, 0.2], jitter: [0.3, 0.5], loss: [0.01, 0.05] },
  poor: { bandwidth: [0.1e6, 1e6], latency: [0.2, 1], jitter: [0.3, 0.5], loss: [0.01, 0.05] },
};

export const PROFILE_NAMES: readonly ProfileName[] = Object.keys(PROFILES) as ProfileName[];

/** An exact value or a range, as a user gives it. */
export type RangeOption = number | Range;

/** Values of one direction of a link that are given instead of drawn. */
export type LinkValues = { readonly [property in keyof LinkRanges]?: number | undefined };

export interface LinkOptions {
  /** Default "local". */
  readonly profile?: ProfileName | undefined;
  readonly bandwidth?: RangeOption | undefined;
  readonly latency?: RangeOption | undefined;
  readonly jitter?: RangeOption | undefined;
  readonly loss?: RangeOption | undefined;
  /** Bandwidth over time, in place of `bandwidth`. */
  readonly trace?: TraceOptions | undefined;
}

const LIMITS: Readonly<
  Record<keyof LinkRanges, { readonly accepts: (x: number) => boolean; readonly text: string }>
> = {
  bandwidth: { accepts: (x) => x > 0 && x < Number.POSITIVE_INFINITY, text: "bytes per second above 0" },
  latency: { accepts: (x) => x >= 0 && x < Number.POSITIVE_INFINITY, text: "seconds ≥ 0" },
  jitter: { accepts: (x) => x >= 0 && x <= 1, text: "a fraction from 0 to 1" },
  loss: { accepts: (x) => x >= 0 && x <= 0.9, text: "a probability from 0 to 0.9" },
};

/** @throws ConfigError for an unknown profile or a value out of its limits. @param where the option's place in a message */
export function resolveLinks(options: LinkOptions, where = "network"): LinkRanges {
  const name = options.profile ?? "local";
  if (!Object.hasOwn(PROFILES, name)) throw unknownName("network profile", name, PROFILE_NAMES);
  const profile = PROFILES[name];
  const pick = (property: keyof LinkRanges): Range => {
    const given = options[property];
    return given === undefined ? profile[property] : checkedRange(property, given, where);
  };
  return {
    bandwidth: pick("bandwidth"),
    latency: pick("latency"),
    jitter: pick("jitter"),
    loss: pick("loss"),
  };
}

/** @throws ConfigError if one of the given values is out of its limits */
export function checkLinkValues(values: LinkValues, where: string): void {
  for (const property of Object.keys(LIMITS) as (keyof LinkRanges)[]) {
    const given = values[property];
    if (given !== undefined) checkedRange(property, given, where);
  }
}

function checkedRange(property: keyof LinkRanges, given: RangeOption, where: string): Range {
  const [low, high] = typeof given === "number" ? [given, given] : given;
  const { accepts, text } = LIMITS[property];
  if (!accepts(low) || !accepts(high))
    throw new ConfigError(`Option "${where}.${property}": expected ${text}, got ${JSON.stringify(given)}.`);
  if (low > high || (low === 0 && high > 0))
    throw new ConfigError(
      `Option "${where}.${property}": expected a range [low, high] with 0 < low ≤ high, got ${JSON.stringify(given)}.`,
    );
  return [low, high];
}
