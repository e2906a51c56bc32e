// Links: one duplex line between two nodes. Both directions have the full bandwidth and, unless given otherwise, the same
// values.
// A table makes a link when it is first asked for, from a stream named by its two ends: so a full mesh of 1,000 nodes
// costs nothing until it is used, and a link's values do not depend on which links were looked at before.

import {
  type BytesPerSecond,
  bytesPerSecond,
  type Random,
  type Rank,
  type Seconds,
  seconds,
} from "@atoll/core";
import type { LinkRanges, LinkValues, Range } from "./profile.ts";

/** One direction of a link. */
export interface Link {
  readonly source: Rank;
  readonly target: Rank;
  readonly bandwidth: BytesPerSecond;
  /** One way, without jitter. */
  readonly latency: Seconds;
  /** A message's latency is uniform on latency · [1 − jitter, 1 + jitter]. */
  readonly jitter: number;
  /** Probability that a packet is lost. */
  readonly loss: number;
}

export interface LinkTable {
  readonly worldSize: number;
  /** The direction source → target of the link between two nodes, made on first use. */
  link(source: Rank, target: Rank): Link;
}

export interface LinkSource {
  /** What the links between two nodes are drawn from, the same for both directions. */
  rangesOf(source: Rank, target: Rank): LinkRanges;
  /** What is given for one direction. */
  given(source: Rank, target: Rank): LinkValues | undefined;
}

export function createLinkTable(from: LinkRanges | LinkSource, worldSize: number, random: Random): LinkTable {
  const table = new Map<number, Link>();
  const stream = random.derive("links");
  const drawn = (source: Rank, target: Rank): Link => {
    const draws = stream.derive(Math.min(source, target), Math.max(source, target));
    const ranges = "rangesOf" in from ? from.rangesOf(source, target) : from;
    const given = "rangesOf" in from ? from.given(source, target) : undefined;
    const bandwidth = logUniform(ranges.bandwidth, draws);
    const latency = logUniform(ranges.latency, draws);
    const jitter = logUniform(ranges.jitter, draws);
    const loss = logUniform(ranges.loss, draws);
    return {
      source,
      target,
      bandwidth: bytesPerSecond(given?.bandwidth ?? bandwidth),
      latency: seconds(given?.latency ?? latency),
      jitter: given?.jitter ?? jitter,
      loss: given?.loss ?? loss,
    };
  };
  return {
    worldSize,
    link(source, target) {
      const key = source * worldSize + target;
      let link = table.get(key);
      if (link === undefined) {
        link = drawn(source, target);
        table.set(key, link);
      }
      return link;
    },
  };
}

/** Takes one draw even for an exact value, so that fixing one property leaves the others of a link as they were. */
function logUniform([low, high]: Range, random: Random): number {
  const uniform = random.uniform();
  return low === high ? low : low * (high / low) ** uniform;
}
