// The network's options as a user gives them, and as they are once every default is filled in: the second form is what
// config.json holds, so that a report can say which model its times come from.

import { ConfigError, type ConfigTree, type Rank } from "@atoll/core";
import type { LinkSource } from "./link.ts";
import {
  checkLinkValues,
  type LinkOptions,
  type LinkRanges,
  type LinkValues,
  type ProfileName,
  resolveLinks,
} from "./profile.ts";
import { resolveTcp, SEGMENT_SIZE, type TcpModel, type TcpOptions } from "./tcp.ts";
import { chooseTopology, type TopologyChoice, type TopologyOptions } from "./topology/index.ts";
import { islandOf } from "./topology/islands.ts";
import type { TopologyName } from "./topology/topology.ts";

/** Exact values of one link, in place of what is drawn for it. */
export interface GivenLink extends LinkValues {
  readonly from: Rank;
  readonly to: Rank;
  /** True: the values hold from `from` to `to` only. Default false. */
  readonly oneWay?: boolean | undefined;
}

/** Bytes per second that a node can send and receive. */
export interface Nic {
  readonly up: number;
  readonly down: number;
}

export interface NetworkOptions extends LinkOptions, TopologyOptions, TcpOptions {
  /** Default "fully_connected". */
  readonly topology?: TopologyName | undefined;
  /** Of islands: what the links between them are like. Default: the profile "wan". */
  readonly between?: LinkOptions | undefined;
  /** Links with values of their own. */
  readonly links?: readonly GivenLink[] | undefined;
  /**
   * Bytes per second that a node can send, and as many that it can receive, over all its links together. Default: the
   * most bandwidth that one of its links can have, so that a NIC never slows a single transfer but a star's hub shares it.
   */
  readonly nic?: number | Nic | undefined;
}

export interface ResolvedNetwork {
  readonly topology: TopologyChoice;
  readonly profile: ProfileName;
  readonly links: LinkRanges;
  /** Of islands only. */
  readonly between: { readonly profile: ProfileName; readonly links: LinkRanges } | null;
  readonly given: readonly GivenLink[];
  readonly nic: Nic;
  readonly tcp: TcpModel;
}

/** @throws ConfigError for an unknown name or a value out of its limits */
export function resolveOptions(options: NetworkOptions, worldSize: number): ResolvedNetwork {
  const links = resolveLinks(options);
  const topology = chooseTopology(options.topology ?? "fully_connected", options, worldSize);
  const between = resolveBetween(options, topology);
  const given = options.links ?? [];
  for (const [i, link] of given.entries()) checkGiven(link, `network.links[${i}]`, worldSize);
  const most = [links, between?.links].map((ranges) => ranges?.bandwidth[1] ?? 0);
  const fastest = Math.max(...most, ...given.map((link) => link.bandwidth ?? 0));
  return {
    topology,
    profile: options.profile ?? "local",
    links,
    between,
    given,
    nic: resolveNic(options.nic ?? fastest),
    tcp: resolveTcp(options),
  };
}

function resolveBetween({ between }: NetworkOptions, topology: TopologyChoice): ResolvedNetwork["between"] {
  if (topology.name === "islands") {
    const profile = between?.profile ?? "wan";
    return { profile, links: resolveLinks({ ...between, profile }, "network.between") };
  }
  if (between === undefined) return null;
  throw new ConfigError(
    `Option "network.between" does not go with the topology ${topology.name}. Leave it out, or use topology islands.`,
  );
}

function checkGiven(link: GivenLink, where: string, worldSize: number): void {
  const known = (rank: number): boolean => Number.isInteger(rank) && rank >= 0 && rank < worldSize;
  if (!known(link.from) || !known(link.to) || link.from === link.to)
    throw new ConfigError(
      `Option "${where}": expected from and to, two different nodes from 0 to ${worldSize - 1}, got ${link.from} and ${link.to}.`,
    );
  checkLinkValues(link, where);
}

function resolveNic(nic: number | Nic): Nic {
  const expected = "bytes per second above 0";
  if (typeof nic === "number") {
    const capacity = positive("nic", nic, expected);
    return { up: capacity, down: capacity };
  }
  return { up: positive("nic.up", nic.up, expected), down: positive("nic.down", nic.down, expected) };
}

/** Where the values of links come from. */
export function linkSource({ topology, links, between, given }: ResolvedNetwork): LinkSource {
  const values = new Map<string, LinkValues>();
  for (const { from, to, oneWay = false, ...own } of given) {
    values.set(`${from} to ${to}`, own);
    if (!oneWay) values.set(`${to} to ${from}`, own);
  }
  const isInside = (a: Rank, b: Rank): boolean =>
    topology.name !== "islands" || islandOf(a, topology.islandSize) === islandOf(b, topology.islandSize);
  return {
    rangesOf: (source, target) => (between === null || isInside(source, target) ? links : between.links),
    given: (source, target) => values.get(`${source} to ${target}`),
  };
}

function positive(name: string, value: number, expected: string): number {
  if (value > 0 && value < Number.POSITIVE_INFINITY) return value;
  throw new ConfigError(`Option "network.${name}": expected ${expected}, got ${JSON.stringify(value)}.`);
}

/** Everything that decides the times, as JSON. */
export function configOf({
  topology,
  profile,
  links,
  between,
  given,
  nic,
  tcp,
}: ResolvedNetwork): ConfigTree {
  const { name, ...shape } = topology;
  return {
    topology: name,
    ...(shape as ConfigTree),
    profile,
    bandwidth: links.bandwidth,
    latency: links.latency,
    jitter: links.jitter,
    jitterDistribution: "uniform",
    loss: links.loss,
    lossRecovery: "selective repeat, one round trip each",
    congestion: tcp.congestion,
    flows: tcp.flows,
    slowStart: tcp.slowStart,
    rttWeights: tcp.rttWeights,
    segmentSize: SEGMENT_SIZE,
    nic: nic.up === nic.down ? nic.up : { ...nic },
    ...(between === null ? {} : { between: { profile: between.profile, ...between.links } }),
    ...(given.length === 0 ? {} : { links: given.map((link) => ({ ...link }) as ConfigTree) }),
    tcp: tcp.mode,
    window: tcp.window,
    latencyFactor: tcp.latencyFactor,
    bandwidthFactor: tcp.bandwidthFactor,
    crossTraffic: tcp.crossTraffic,
  };
}
