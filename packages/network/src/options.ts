// The network's options as a user gives them, and as they are once every default is filled in: the second form is what
// config.json holds, so that a report can say which model its times come from.

import { ConfigError, type ConfigTree, type Rank } from "@atoll/core";
import { type BackgroundModel, type BackgroundOptions, resolveBackground } from "./background.ts";
import type { LinkSource } from "./link.ts";
import {
  checkLinkValues,
  type LinkOptions,
  type LinkRanges,
  type LinkValues,
  type ProfileName,
  type RangeOption,
  resolveLinks,
} from "./profile.ts";
import { resolveTcp, SEGMENT_SIZE, type TcpModel, type TcpOptions } from "./tcp.ts";
import { chooseTopology, type TopologyChoice, type TopologyOptions } from "./topology/index.ts";
import { islandOf } from "./topology/islands.ts";
import type { TopologyName } from "./topology/topology.ts";
import { resolveTrace, type TraceModel, type TraceOptions, traceConfig } from "./trace.ts";

/** Exact values of one link, in place of what is drawn for it. */
export interface GivenLink extends LinkValues {
  readonly from: Rank;
  readonly to: Rank;
  /** True: the values hold from `from` to `to` only. Default false. */
  readonly oneWay?: boolean | undefined;
  /** The link's bandwidth over time, in place of a constant one. */
  readonly trace?: TraceOptions | undefined;
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
  /** Other people's traffic on every link. Default: none. */
  readonly background?: BackgroundOptions | undefined;
}

/** What links are like that are not given one by one. */
export interface ResolvedLinks {
  readonly profile: ProfileName;
  readonly links: LinkRanges;
  /** What their bandwidth follows over time, if it is not constant; `links` has its mean. */
  readonly trace: TraceModel | null;
}

export interface ResolvedGivenLink extends Omit<GivenLink, "trace"> {
  readonly trace?: TraceModel | undefined;
}

export interface ResolvedNetwork extends ResolvedLinks {
  readonly topology: TopologyChoice;
  /** Of islands only. */
  readonly between: ResolvedLinks | null;
  readonly given: readonly ResolvedGivenLink[];
  readonly background: BackgroundModel | null;
  readonly nic: Nic;
  readonly tcp: TcpModel;
}

/** @throws ConfigError for an unknown name or a value out of its limits */
export function resolveOptions(options: NetworkOptions, worldSize: number): ResolvedNetwork {
  const own = resolveOwn(options, options.profile ?? "local", "network");
  const topology = chooseTopology(options.topology ?? "fully_connected", options, worldSize);
  const between = resolveBetween(options, topology);
  const given = (options.links ?? []).map((link, i) => resolveGiven(link, `network.links[${i}]`, worldSize));
  const most = [own, between].map((kind) => kind?.trace?.most ?? kind?.links.bandwidth[1] ?? 0);
  const fastest = Math.max(...most, ...given.map((link) => link.trace?.most ?? link.bandwidth ?? 0));
  return {
    ...own,
    topology,
    between,
    given,
    nic: resolveNic(options.nic ?? fastest),
    background: options.background === undefined ? null : resolveBackground(options.background),
    tcp: resolveTcp(options),
  };
}

function resolveBetween({ between }: NetworkOptions, topology: TopologyChoice): ResolvedNetwork["between"] {
  if (topology.name === "islands") {
    return resolveOwn(between ?? {}, between?.profile ?? "wan", "network.between");
  }
  if (between === undefined) return null;
  throw new ConfigError(
    `Option "network.between" does not go with the topology ${topology.name}. Leave it out, or use topology islands.`,
  );
}

function resolveOwn(options: LinkOptions, profile: ProfileName, where: string): ResolvedLinks {
  const { trace: given, bandwidth } = options;
  if (given === undefined)
    return { profile, links: resolveLinks({ ...options, profile }, where), trace: null };
  refuseBoth(bandwidth, where);
  const trace = resolveTrace(given, `${where}.trace`);
  return { profile, links: resolveLinks({ ...options, profile, bandwidth: trace.mean }, where), trace };
}

function refuseBoth(bandwidth: RangeOption | undefined, where: string): void {
  if (bandwidth !== undefined)
    throw new ConfigError(
      `Options "${where}.bandwidth" and "${where}.trace": give one of them, not both. A trace is the bandwidth over time.`,
    );
}

function resolveGiven({ trace, ...link }: GivenLink, where: string, worldSize: number): ResolvedGivenLink {
  const known = (rank: number): boolean => Number.isInteger(rank) && rank >= 0 && rank < worldSize;
  if (!known(link.from) || !known(link.to) || link.from === link.to)
    throw new ConfigError(
      `Option "${where}": expected from and to, two different nodes from 0 to ${worldSize - 1}, got ${link.from} and ${link.to}.`,
    );
  checkLinkValues(link, where);
  if (trace === undefined) return link;
  refuseBoth(link.bandwidth, where);
  const model = resolveTrace(trace, `${where}.trace`);
  return { ...link, bandwidth: model.mean, trace: model };
}

function resolveNic(nic: number | Nic): Nic {
  const expected = "bytes per second above 0";
  if (typeof nic === "number") {
    const capacity = positive("nic", nic, expected);
    return { up: capacity, down: capacity };
  }
  return { up: positive("nic.up", nic.up, expected), down: positive("nic.down", nic.down, expected) };
}

type GivenValues = LinkValues & Pick<ResolvedGivenLink, "trace">;

/** The trace that one direction of a link follows, if it follows one. */
export type TraceLookup = (source: Rank, target: Rank) => TraceModel | null;

/** Where the values of links come from. */
export function linkSource(resolved: ResolvedNetwork): LinkSource & { readonly traceOf: TraceLookup } {
  const { topology, links, between, given } = resolved;
  const values = new Map<string, GivenValues>();
  for (const [i, { from, to, oneWay = false, ...own }] of given.entries()) {
    const set = Object.fromEntries(Object.entries(own).filter(([, value]) => value !== undefined));
    const directions = [[from, to] as const, ...(oneWay ? [] : [[to, from] as const])];
    for (const [source, target] of directions) {
      const key = `${source} to ${target}`;
      const before: GivenValues = values.get(key) ?? {};
      const again = Object.keys(set).find((name) => name in before);
      if (again !== undefined)
        throw new ConfigError(
          `Option "network.links[${i}].${again}": expected each value of a direction of a link once, got another one from node ${source} to node ${target}. Leave it out of one of the two entries, or give each its direction by oneWay.`,
        );
      values.set(key, { ...before, ...set });
    }
  }
  const isInside = (a: Rank, b: Rank): boolean =>
    topology.name !== "islands" || islandOf(a, topology.islandSize) === islandOf(b, topology.islandSize);
  const ownOf = (source: Rank, target: Rank): GivenValues | undefined => values.get(`${source} to ${target}`);
  return {
    rangesOf: (source, target) => (between === null || isInside(source, target) ? links : between.links),
    given: ownOf,
    traceOf(source, target) {
      const own = ownOf(source, target);
      if (own?.bandwidth !== undefined) return own.trace ?? null;
      return between === null || isInside(source, target) ? resolved.trace : between.trace;
    },
  };
}

/** Whether a link may follow a trace that is over some time: one that does not repeat. */
export function hasEndingTrace({ trace, between, given }: ResolvedNetwork): boolean {
  const all = [trace, between?.trace, ...given.map((link) => link.trace)];
  return all.some((model) => model != null && !model.repeat);
}

function positive(name: string, value: number, expected: string): number {
  if (value > 0 && value < Number.POSITIVE_INFINITY) return value;
  throw new ConfigError(`Option "network.${name}": expected ${expected}, got ${JSON.stringify(value)}.`);
}

const traceEntry = (trace: TraceModel | null | undefined): ConfigTree =>
  trace == null ? {} : { trace: traceConfig(trace) };

const givenConfig = ({ trace, ...link }: ResolvedGivenLink): ConfigTree =>
  ({ ...link, ...traceEntry(trace) }) as ConfigTree;

/** Everything that decides the times, as JSON. */
export function configOf({
  topology,
  profile,
  links,
  between,
  given,
  nic,
  tcp,
  trace,
  background,
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
    lossRecovery:
      tcp.mode === "rounds"
        ? "fast retransmit or timeout, by rounds of the window"
        : "selective repeat, one round trip each",
    congestion: tcp.congestion,
    flows: tcp.flows,
    slowStart: tcp.slowStart,
    rttWeights: tcp.rttWeights,
    segmentSize: SEGMENT_SIZE,
    nic: nic.up === nic.down ? nic.up : { ...nic },
    ...(between === null
      ? {}
      : { between: { profile: between.profile, ...between.links, ...traceEntry(between.trace) } }),
    ...(given.length === 0 ? {} : { links: given.map(givenConfig) }),
    ...traceEntry(trace),
    ...(background === null ? {} : { background: { ...background } }),
    tcp: tcp.mode,
    window: tcp.window,
    latencyFactor: tcp.latencyFactor,
    bandwidthFactor: tcp.bandwidthFactor,
    crossTraffic: tcp.crossTraffic,
  };
}
