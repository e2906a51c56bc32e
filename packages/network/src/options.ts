// The network's options as a user gives them, and as they are once every default is filled in: the second form is what
// config.json holds, so that a report can say which model its times come from.

import { type Bytes, bytes, ConfigError, type ConfigTree, unknownName } from "@atoll/core";
import { type LinkOptions, type LinkRanges, type ProfileName, resolveLinks } from "./profile.ts";
import { DEFAULT_WINDOW, SEGMENT_SIZE, TCP_MODES, type TcpMode, type TcpModel, tcpModel } from "./tcp.ts";
import type { TopologyName } from "./topology/topology.ts";

export interface NetworkOptions extends LinkOptions {
  /** Default "fully_connected". */
  readonly topology?: TopologyName | undefined;
  /**
   * Bytes per second that a node can send, and as many that it can receive, over all its links together. Default: the
   * most bandwidth that one of its links can have, so that a NIC never slows a single transfer but a star's hub shares it.
   */
  readonly nic?: number | undefined;
  /** Default "cm02". */
  readonly tcp?: TcpMode | undefined;
  /** Bytes that one flow has in flight at most. Default 4 MiB. */
  readonly window?: number | undefined;
}

export interface ResolvedNetwork {
  readonly topology: TopologyName;
  readonly profile: ProfileName;
  readonly links: LinkRanges;
  readonly nic: number;
  readonly tcp: TcpModel;
}

/** @throws ConfigError for an unknown name or a value out of its limits */
export function resolveOptions(options: NetworkOptions): ResolvedNetwork {
  const links = resolveLinks(options);
  const mode = options.tcp ?? "cm02";
  if (!TCP_MODES.includes(mode)) throw unknownName("TCP mode", mode, TCP_MODES);
  return {
    topology: options.topology ?? "fully_connected",
    profile: options.profile ?? "local",
    links,
    nic: positive("nic", options.nic ?? links.bandwidth[1], "bytes per second above 0"),
    tcp: tcpModel(mode, windowOf(options.window ?? DEFAULT_WINDOW)),
  };
}

const windowOf = (value: number): Bytes => bytes(positive("window", value, "bytes above 0"));

function positive(name: string, value: number, expected: string): number {
  if (value > 0 && value < Number.POSITIVE_INFINITY) return value;
  throw new ConfigError(`Option "network.${name}": expected ${expected}, got ${JSON.stringify(value)}.`);
}

/** Everything that decides the times, as JSON. */
export function configOf({ topology, profile, links, nic, tcp }: ResolvedNetwork): ConfigTree {
  return {
    topology,
    profile,
    bandwidth: links.bandwidth,
    latency: links.latency,
    jitter: links.jitter,
    jitterDistribution: "uniform",
    loss: links.loss,
    lossRecovery: "selective repeat, one round trip each, no congestion control",
    segmentSize: SEGMENT_SIZE,
    nic,
    tcp: tcp.mode,
    window: tcp.window,
    latencyFactor: tcp.latencyFactor,
    bandwidthFactor: tcp.bandwidthFactor,
    crossTraffic: tcp.crossTraffic,
  };
}
