// Plans a training run without training: how busy the nodes compute, how long it takes, what it sends, and the bandwidth
// that it needs for a given utilisation. The timeline of layers (timeline.ts) is fed with what the strategy states of its
// traffic, at the cost that the network's own schedules have (exchangeCost.ts). Nodes are alike and steps take equally long;
// stragglers, jitter and lost packets are what a simulated run is for.
// Source: Douillard et al., "Streaming DiLoCo with overlapping communication" (arXiv 2501.18512), its simulated compute utilisation.

import type { AllReduceChoice } from "@atoll/comm";
import { ConfigError, createRandom } from "@atoll/core";
import { type NetworkOptions, resolveNetwork } from "@atoll/network";
import type { Exchange } from "@atoll/train";
import { type ExchangeCost, exchangeCost, FREE } from "./exchangeCost.ts";
import { cycleOf, secondsOf } from "./steadyState.ts";
import type { TimedExchange, Timeline } from "./timeline.ts";

/** `layers`: a layer at a time, as frameworks do; `train`: after the whole step, as a run of this program does. */
export const PLAN_SCHEDULES = ["layers", "train"] as const;
export type PlanSchedule = (typeof PLAN_SCHEDULES)[number];

export interface PlanOptions {
  readonly parameters: number;
  /** All of one size. */
  readonly layers: number;
  /** Computing of a step, forward and backward. */
  readonly stepSeconds: number;
  readonly nodes: number;
  /** What the strategy sends. */
  readonly exchanges: readonly Exchange[];
  /** Of numbers that are sent as they are. Default 32, as a run sends them. */
  readonly bitsPerParameter?: number | undefined;
  readonly schedule: PlanSchedule;
  readonly network: NetworkOptions;
  readonly allReduce: AllReduceChoice;
  /** What the links are drawn from, as in a run. */
  readonly seed: number;
  readonly maxSteps: number;
}

export interface PlannedExchange {
  readonly operation: Exchange["operation"];
  readonly everySteps: number;
  /** Bytes that a node sends each time, mean of all nodes. */
  readonly bytesPerNode: number;
  /** Seconds that it takes by itself. */
  readonly seconds: number;
  /** Of those that a strategy makes in its first steps only. */
  readonly untilStep?: number;
}

export interface RequiredBandwidth {
  readonly utilization: number;
  /** Of every link, each way, in 10⁹ bits per second; null if not even an unlimited one does, for its latency. */
  readonly gbitPerSecond: number | null;
  /** What the network's TCP makes of that bandwidth; below `utilization` where its window or loss is the limit. */
  readonly utilizationWithTcp: number | null;
}

export interface CurvePoint {
  readonly gbitPerSecond: number;
  readonly utilization: number;
}

export interface Plan {
  /** Part of the time that nodes compute, in the long run. */
  readonly utilization: number;
  /** Mean time of a step, in the long run. */
  readonly secondsPerStep: number;
  /** Bytes that a node sends in a step, in the long run; mean of all steps and nodes. */
  readonly bytesPerStep: number;
  /** Of `maxSteps` steps, from the first. */
  readonly totalSeconds: number;
  /** Bytes that a node begins to send in them, mean of all nodes. */
  readonly totalBytes: number;
  readonly exchanges: readonly PlannedExchange[];
  readonly requiredBandwidth: readonly RequiredBandwidth[];
  /** Utilisation over bandwidth, around what is required. */
  readonly curve: readonly CurvePoint[];
}

export const UTILIZATIONS: readonly number[] = [0.5, 0.8, 0.9, 0.95, 0.99];

/** A bandwidth at which costs are looked at that are scaled to others, in bytes per second. */
const REFERENCE = 1e9;
const BITS = 8;

/** @throws ConfigError for options of the network that contradict each other, or more fragments than layers */
export function planRun(given: PlanOptions): Plan {
  const options = { ...given, network: withMeanRates(given.network) };
  const { nodes, exchanges, stepSeconds, maxSteps } = options;
  for (const { fragment } of exchanges)
    if (fragment !== undefined && fragment.count > options.layers)
      throw new ConfigError(
        `Option "strategy.fragments": expected at most the number of the model's layers (${options.layers}), got ${fragment.count}. Lower it, or raise layers.`,
      );
  const costs = costsOn(options.network, options);
  const timeline = timelineOf(options, costs);
  const cycle = cycleOf(timeline);
  const rows = exchanges.map((exchange, i) => plannedExchange(exchange, costs[i]!, options));
  const begun = (i: number, steps: number): number => countBegun(timeline.exchanges[i]!, steps);
  const lasting = rows.filter((row) => row.untilStep === undefined);
  return {
    utilization: stepSeconds / cycle.secondsPerStep,
    secondsPerStep: cycle.secondsPerStep,
    bytesPerStep: lasting.reduce((sum, row) => sum + row.bytesPerNode / row.everySteps, 0),
    totalSeconds: secondsOf(timeline, maxSteps),
    totalBytes: rows.reduce((sum, row, i) => sum + row.bytesPerNode * begun(i, maxSteps), 0),
    exchanges: nodes === 1 ? [] : rows,
    ...bandwidths(options),
  };
}

function countBegun({ every, offset, from, until }: TimedExchange, steps: number): number {
  const last = Math.min(steps, until);
  const upTo = (step: number): number => Math.floor((step - offset) / every);
  return Math.max(0, upTo(last) - upTo(Math.max(from, 1) - 1));
}

const floatBytes = ({ bitsPerParameter = 32 }: PlanOptions): number => bitsPerParameter / BITS;

/** Layers that an exchange is about, of all that the schedule tells apart. */
function layersOf({ fragment }: Exchange, layers: number): readonly number[] {
  const all = Array.from({ length: layers }, (_, layer) => layers - 1 - layer);
  return fragment === undefined ? all : all.filter((layer) => layer % fragment.count === fragment.index);
}

function elementsOf(exchange: Exchange, { parameters, layers }: PlanOptions): number {
  return Math.round((parameters * layersOf(exchange, layers).length) / layers);
}

/** Bytes of the whole exchange, by what it states. */
function bytesOf(exchange: Exchange, options: PlanOptions): number {
  return exchange.bytes({
    elements: elementsOf(exchange, options),
    layers: layersOf(exchange, options.layers).length,
    members: Math.min(exchange.groupSize ?? options.nodes, options.nodes),
    floatBytes: floatBytes(options),
  });
}

/** Layers that the timeline tells apart: parts that a strategy sends one by one take their place. */
function timedLayers({ exchanges, layers, schedule }: PlanOptions): number {
  const pieces = exchanges.find((exchange) => exchange.pieces !== undefined)?.pieces;
  return pieces ?? (schedule === "layers" ? layers : 1);
}

function costsOn(network: NetworkOptions, options: PlanOptions): readonly ExchangeCost[] {
  const { nodes, exchanges, allReduce, seed } = options;
  if (nodes === 1) return exchanges.map(() => FREE);
  const random = createRandom(seed);
  const made = resolveNetwork(network, { worldSize: nodes, random: random.derive("network") });
  const parts = timedLayers(options);
  return exchanges.map((exchange) =>
    exchangeCost(exchange, {
      network: made,
      nodes,
      allReduce,
      elements: elementsOf(exchange, options) / parts,
      random,
    }),
  );
}

function timelineOf(options: PlanOptions, costs: readonly ExchangeCost[]): Timeline {
  const layers = timedLayers(options);
  const exchanges = options.exchanges.map((exchange, i): TimedExchange => {
    const { every, offset = 0, from = 1, until = Number.POSITIVE_INFINITY, delay = 0 } = exchange;
    const own = layers === 1 ? [0] : layersOf(exchange, layers);
    const { latencySeconds, secondsPerByte } = costs[i]!;
    const seconds = (secondsPerByte * bytesOf(exchange, options)) / own.length;
    const parts = own.map((layer) => ({ layer, seconds, latencySeconds }));
    return { every, offset, from, until, delay, parts };
  });
  const { stepSeconds, schedule } = options;
  return { stepSeconds, layers, serial: schedule === "train", exchanges };
}

function plannedExchange(exchange: Exchange, cost: ExchangeCost, options: PlanOptions): PlannedExchange {
  const payload = bytesOf(exchange, options);
  // Of several parts only a run waits for each, so that its latency counts as often.
  const parts = options.schedule === "train" ? (exchange.pieces ?? 1) : 1;
  return {
    operation: exchange.operation,
    everySteps: exchange.every,
    bytesPerNode: payload * cost.sentPerByte,
    seconds: parts * cost.latencySeconds + payload * cost.secondsPerByte,
    ...(exchange.until === undefined ? {} : { untilStep: exchange.until }),
  };
}

/** Where TCP goes by drawn round trips, the rate that its congestion control comes to in the mean stands for them. */
const withMeanRates = ({ slowStart: _, ...network }: NetworkOptions): NetworkOptions =>
  network.tcp === "rounds" ? { ...network, tcp: "cm02", congestion: network.congestion ?? "cubic" } : network;

/** The network with one bandwidth for all links, and nothing else in the way of it. */
const withBandwidth = (network: NetworkOptions, bytesPerSecond: number): NetworkOptions => {
  const { nic: _, trace: __, links = [], between, ...rest } = network;
  const bandwidth = bytesPerSecond;
  return {
    ...rest,
    bandwidth,
    ...(between === undefined ? {} : { between: { ...between, trace: undefined, bandwidth } }),
    ...(rest.topology === "islands" && between === undefined
      ? { between: { profile: "wan", bandwidth } }
      : {}),
    links: links.map((link) => ({ ...link, trace: undefined, bandwidth: undefined })),
  };
};

/** The same without the limits that TCP sets to a single flow. */
const unlimited = (network: NetworkOptions): NetworkOptions =>
  network.tcp === "none" ? network : { ...network, congestion: "none", window: Number.MAX_VALUE, flows: 1 };

function bandwidths(options: PlanOptions): Pick<Plan, "requiredBandwidth" | "curve"> {
  const { network, stepSeconds, nodes } = options;
  const reference = costsOn(unlimited(withBandwidth(network, REFERENCE)), options);
  const utilizationWith = (costs: readonly ExchangeCost[]): number =>
    stepSeconds / cycleOf(timelineOf(options, costs)).secondsPerStep;
  const at = (bytesPerSecond: number): number =>
    utilizationWith(
      reference.map((cost) => ({
        ...cost,
        secondsPerByte: (cost.secondsPerByte * REFERENCE) / bytesPerSecond,
      })),
    );
  const requiredBandwidth = UTILIZATIONS.map((utilization): RequiredBandwidth => {
    if (nodes === 1) return { utilization, gbitPerSecond: 0, utilizationWithTcp: 1 };
    const bytesPerSecond = leastBandwidth(at, utilization);
    if (bytesPerSecond === undefined) return { utilization, gbitPerSecond: null, utilizationWithTcp: null };
    return {
      utilization,
      gbitPerSecond: (bytesPerSecond * BITS) / 1e9,
      utilizationWithTcp: utilizationWith(costsOn(withBandwidth(network, bytesPerSecond), options)),
    };
  });
  return { requiredBandwidth, curve: nodes === 1 ? [] : curveAround(requiredBandwidth, at) };
}

const LEAST = 1e-3;
const MOST = 1e18;

/** The least bytes per second with which `at` comes to `target`; undefined if none does. */
function leastBandwidth(at: (bytesPerSecond: number) => number, target: number): number | undefined {
  if (at(Number.POSITIVE_INFINITY) < target) return undefined;
  let low = Math.log(LEAST);
  let high = Math.log(MOST);
  while (high - low > 1e-9) {
    const middle = (low + high) / 2;
    if (at(Math.exp(middle)) < target) low = middle;
    else high = middle;
  }
  return Math.exp(high);
}

const CURVE_POINTS = 81;

function curveAround(
  required: readonly RequiredBandwidth[],
  at: (bytesPerSecond: number) => number,
): readonly CurvePoint[] {
  const known = required.flatMap(({ gbitPerSecond }) => (gbitPerSecond === null ? [] : [gbitPerSecond]));
  const low = Math.min(...known, 1) / 30;
  const high = Math.max(...known, low * 100) * 3;
  return Array.from({ length: CURVE_POINTS }, (_, i) => {
    const gbitPerSecond = low * (high / low) ** (i / (CURVE_POINTS - 1));
    return { gbitPerSecond, utilization: at((gbitPerSecond * 1e9) / BITS) };
  });
}
