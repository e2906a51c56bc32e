// How TCP turns a path's latency and bandwidth into the time of one transfer, as constant factors and a window.
// Sources: Casanova and Marchal, "A network model for simulation of grid application" (INRIA RR-4596, 2002) for the window
// bound (CM02); Velho and Legrand, "Accuracy study and improvement of network simulation in the SimGrid framework"
// (SIMUTools 2009) for the factors (LV08); Mathis, Semke, Mahdavi, Ott, "The macroscopic behavior of the TCP congestion
// avoidance algorithm" (CCR 1997) for Reno's rate under loss; RFC 9438, section 5, for CUBIC's.

import { type Bytes, ConfigError, type Seconds, unknownName } from "@atoll/core";

/**
 * `none`: latency + size / bandwidth. `cm02`: the rate is at most window / round-trip time.
 * `lv08`: cm02 with latency × 13.01 (slow start, on average), bandwidth × 0.97 (headers), and a capacity divided by 1.05,
 * since the acknowledgements of a flow take 5 % of what it uses.
 * `rounds`: cm02, but each transfer's losses, window and timeouts are drawn round trip by round trip (flights.ts).
 */
export type TcpMode = "none" | "cm02" | "lv08" | "rounds";

export const TCP_MODES: readonly TcpMode[] = ["none", "cm02", "lv08", "rounds"];

/**
 * What limits the rate of a flow on a path that loses packets; `none`: nothing, losses only cost time. It is a bound on the
 * mean rate, or under `rounds` the rules by which the window of each flow grows and shrinks.
 */
export type Congestion = "none" | "reno" | "cubic";

export const CONGESTIONS: readonly Congestion[] = ["none", "reno", "cubic"];

export interface TcpOptions {
  /** Default "cm02". */
  readonly tcp?: TcpMode | undefined;
  /** Bytes that one flow has in flight at most. Default 4 MiB. */
  readonly window?: number | undefined;
  /** Which congestion control limits a flow on a lossy path. Default "none", under `rounds` "cubic", as in Linux. */
  readonly congestion?: Congestion | undefined;
  /** Parallel connections between two nodes: window and loss limit each of them. Default 1. */
  readonly flows?: number | undefined;
  /** Whether connections have to be opened and their windows to grow. Default false; under `rounds` always. */
  readonly slowStart?: boolean | undefined;
  /** Whether flows share a capacity in proportion to 1 / round-trip time instead of equally. Default false. */
  readonly rttWeights?: boolean | undefined;
}

export interface TcpModel {
  readonly mode: TcpMode;
  readonly latencyFactor: number;
  readonly bandwidthFactor: number;
  readonly crossTraffic: number;
  /** Bytes in flight at most; null where the mode knows no window. */
  readonly window: Bytes | null;
  readonly congestion: Congestion;
  readonly flows: number;
  readonly slowStart: boolean;
  readonly rttWeights: boolean;
}

/** 4 MiB, as in SimGrid. */
export const DEFAULT_WINDOW: number = 4 * 1024 * 1024;

/** Payload bytes of a packet: 1500 less 20 (IP), 20 (TCP) and 12 (time stamps). */
export const SEGMENT_SIZE: number = 1448;

/** The shortest round trip that weights tell apart: on shorter ones flows share equally. */
const LEAST_ROUND_TRIP = 1e-6;

/** As many connections as an address has ports. */
const MOST_FLOWS = 65_535;

/** @throws ConfigError for an unknown name, a value out of its limits, or options that contradict each other */
export function resolveTcp(options: TcpOptions): TcpModel {
  const mode = options.tcp ?? "cm02";
  const inRounds = mode === "rounds";
  const { congestion = inRounds ? "cubic" : "none", slowStart = inRounds } = options;
  const { flows = 1, rttWeights = false, window = DEFAULT_WINDOW } = options;
  if (!TCP_MODES.includes(mode)) throw unknownName("TCP mode", mode, TCP_MODES);
  if (!CONGESTIONS.includes(congestion)) throw unknownName("congestion control", congestion, CONGESTIONS);
  if (!(window > 0 && window < Number.POSITIVE_INFINITY))
    throw new ConfigError(`Option "network.window": expected bytes above 0, got ${JSON.stringify(window)}.`);
  if (!(Number.isInteger(flows) && flows > 0 && flows <= MOST_FLOWS))
    throw new ConfigError(
      `Option "network.flows": expected a whole number from 1 to ${MOST_FLOWS}, got ${JSON.stringify(flows)}.`,
    );
  if (slowStart && mode === "lv08")
    throw new ConfigError(
      'Option "network.slowStart" does not go with network.tcp=lv08, whose latency factor of 13.01 stands for slow start. Use tcp=cm02.',
    );
  if (mode === "none" && (slowStart || congestion !== "none" || flows !== 1 || options.window !== undefined))
    throw new ConfigError(
      'Options "network.window", "network.slowStart", "network.congestion" and "network.flows" need a TCP model, got network.tcp=none. Use tcp=cm02.',
    );
  if (inRounds && (congestion === "none" || !slowStart))
    throw new ConfigError(
      'Options "network.congestion" and "network.slowStart": network.tcp=rounds needs reno or cubic, and slow start, which is part of it. Leave both out, or use tcp=cm02.',
    );
  return { ...constantsOf(mode, window as Bytes), congestion, flows, slowStart, rttWeights };
}

function constantsOf(
  mode: TcpMode,
  window: Bytes,
): Pick<TcpModel, "mode" | "latencyFactor" | "bandwidthFactor" | "crossTraffic" | "window"> {
  switch (mode) {
    case "none":
      return { mode, latencyFactor: 1, bandwidthFactor: 1, crossTraffic: 1, window: null };
    case "cm02":
    case "rounds":
      return { mode, latencyFactor: 1, bandwidthFactor: 1, crossTraffic: 1, window };
    case "lv08":
      return { mode, latencyFactor: 13.01, bandwidthFactor: 0.97, crossTraffic: 1.05, window };
    default:
      return mode satisfies never;
  }
}

/** What is left of a link's or NIC's bandwidth for payload. */
export const usableCapacity = (tcp: TcpModel, bandwidth: number): number =>
  (bandwidth * tcp.bandwidthFactor) / tcp.crossTraffic;

/** The highest rate between two nodes, in bytes per second: the least of the window's and the loss's, times the flows. */
export function flowRate(tcp: TcpModel, latency: Seconds, loss: number): number {
  const roundTrip = 2 * latency;
  if (tcp.window === null || roundTrip === 0) return Number.POSITIVE_INFINITY;
  return tcp.flows * Math.min(tcp.window / roundTrip, lossRate(tcp.congestion, roundTrip, loss));
}

/**
 * The mean rate of one flow that loses each packet with probability `loss`, in bytes per second.
 * Reno: MSS / RTT · √(3 / 2p). CUBIC: 1.054 (RTT / p)^¾ segments a round trip, but never less than Reno, whose rate it
 * takes where round trips are short.
 */
export function lossRate(congestion: Congestion, roundTrip: number, loss: number): number {
  if (congestion === "none" || loss === 0) return Number.POSITIVE_INFINITY;
  const reno = (SEGMENT_SIZE / roundTrip) * Math.sqrt(3 / (2 * loss));
  if (congestion === "reno") return reno;
  return Math.max(reno, (SEGMENT_SIZE / roundTrip) * 1.054 * (roundTrip / loss) ** 0.75);
}

/** What a flow's part of a shared capacity is in proportion to. */
export const shareWeight = (tcp: TcpModel, latency: Seconds): number =>
  tcp.rttWeights ? 1 / Math.max(LEAST_ROUND_TRIP, 2 * latency) : 1;
