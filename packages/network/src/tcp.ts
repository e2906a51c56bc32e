// How TCP turns a path's latency and bandwidth into the time of one transfer, as constant factors and a window.
// Sources: Casanova and Marchal, "A network model for simulation of grid application" (INRIA RR-4596, 2002) for the window
// bound (CM02); Velho and Legrand, "Accuracy study and improvement of network simulation in the SimGrid framework"
// (SIMUTools 2009) for the factors (LV08). There is no slow start and no congestion control here.

import type { Bytes, Seconds } from "@atoll/core";

/**
 * `none`: latency + size / bandwidth. `cm02`: the rate is at most window / round-trip time.
 * `lv08`: cm02 with latency × 13.01 (slow start, on average), bandwidth × 0.97 (headers), and a capacity divided by 1.05,
 * since the acknowledgements of a flow take 5 % of what it uses.
 */
export type TcpMode = "none" | "cm02" | "lv08";

export const TCP_MODES: readonly TcpMode[] = ["none", "cm02", "lv08"];

export interface TcpModel {
  readonly mode: TcpMode;
  readonly latencyFactor: number;
  readonly bandwidthFactor: number;
  readonly crossTraffic: number;
  /** Bytes in flight at most; null where the mode knows no window. */
  readonly window: Bytes | null;
}

/** 4 MiB, as in SimGrid. */
export const DEFAULT_WINDOW: number = 4 * 1024 * 1024;

/** Payload bytes of a packet: 1500 less 20 (IP), 20 (TCP) and 12 (time stamps). */
export const SEGMENT_SIZE: number = 1448;

export function tcpModel(mode: TcpMode, window: Bytes): TcpModel {
  switch (mode) {
    case "none":
      return { mode, latencyFactor: 1, bandwidthFactor: 1, crossTraffic: 1, window: null };
    case "cm02":
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

/** The highest rate of one flow, in bytes per second: window / (2 · latency). */
export const windowRate = (tcp: TcpModel, latency: Seconds): number =>
  tcp.window === null || latency === 0 ? Number.POSITIVE_INFINITY : tcp.window / (2 * latency);
