// Single transfers against the worked examples and formulas of the models they follow.
// Sources: SimGrid's documentation, "Understanding the default TCP model" (100 kB over 1 Mbit/s and 10 ms); Casanova and
// Marchal (INRIA RR-4596, 2002) for the window; Mathis et al. (CCR 1997) and RFC 9438 for loss; RFC 5681 and 6928 for slow
// start. The examples of loss and slow start are worked out by hand for segments of 1460 and 1448 bytes.

import { bytes, seconds } from "@atoll/core";
import type { NetworkOptions } from "@atoll/network";
import { type Check, Deviations, deviation, type Row } from "./row.ts";
import { exactNetwork } from "./world.ts";

/** Payload bytes of a packet on Ethernet: 1500 less headers and time stamps. */
export const SEGMENT = 1448;

const BITS = 8;

/** Simulated seconds of the first transfer between two nodes. */
export const transferTime = (options: NetworkOptions, size: number): number =>
  exactNetwork(options, 2).transfer(0, 1, bytes(size), seconds(0));

export const single = (test: string, got: number, expected: number, mark: number): Row => ({
  kind: "marked",
  test,
  cases: 1,
  worst: deviation(got, expected),
  mark,
});

export const workedExamples: Check = () => {
  const link = { bandwidth: 1e6 / BITS, latency: 0.01 };
  const size = 100e3;
  return [
    single(
      "SimGrid's LV08 example: 0.996079 s",
      transferTime({ ...link, tcp: "lv08" }, size),
      0.996079,
      1e-6,
    ),
    single(
      "the plain formula on the same link: 0.81 s",
      transferTime({ ...link, tcp: "none" }, size),
      0.81,
      1e-6,
    ),
  ];
};

export const window: Check = () => {
  const deviations = new Deviations();
  for (const mebibytes of [0.0625, 1, 4, 16])
    for (const latency of [1e-4, 0.01, 0.1, 0.5])
      for (const bandwidth of [1e6, 1e8, 1e10]) {
        const bound = mebibytes * 2 ** 20;
        const rate = Math.min(bandwidth, bound / (2 * latency));
        const options: NetworkOptions = { tcp: "cm02", window: bound, latency, bandwidth };
        deviations.compare(transferTime(options, 1e8), latency + 1e8 / rate);
      }
  return [deviations.row("CM02: rate = min(bandwidth, window / RTT)", 1e-6)];
};

/** Round trip, loss, and the rate that a flow should have, in Mbit/s: the larger of Reno's and CUBIC's. */
const LOSSY = [
  [0.06, 1e-4, 25],
  [0.1, 0.005, 2],
  [0.2, 0.02, 0.5],
] as const;

/** Long enough for a hundred losses and more, whose chance then averages out. */
const LOSSY_SIZE = 200e6;

export const loss: Check = () => {
  const examples = new Deviations();
  const reno = new Deviations();
  for (const [roundTrip, probability, megabits] of LOSSY) {
    const link: NetworkOptions = { bandwidth: 1e9, latency: roundTrip / 2, loss: probability };
    const goodput = (congestion: "reno" | "cubic"): number =>
      LOSSY_SIZE / transferTime({ ...link, congestion }, LOSSY_SIZE);
    examples.compare((goodput("cubic") * BITS) / 1e6, megabits);
    // What is sent again takes its share of the rate.
    const mathis = (SEGMENT / roundTrip) * Math.sqrt(3 / (2 * probability)) * (1 - probability);
    reno.compare(goodput("reno"), mathis);
  }
  return [
    reno.row("Mathis: MSS/RTT·√(3/2p), less what is sent again", 0.01),
    examples.row("max(Reno, CUBIC): 60 ms .01 % 25, 100 ms .5 % 2, 200 ms 2 % .5 Mbit/s", 0.05),
  ];
};

export const slowStart: Check = () => {
  const link: NetworkOptions = { bandwidth: 30e6, latency: 0.025, slowStart: true };
  const rounds = 0.05 + 0.1 + 0.025;
  return [
    single(
      "slow start: 70 segments = handshake + 10 + 20, then 40 on the wire",
      transferTime(link, 70 * SEGMENT),
      rounds + (40 * SEGMENT) / 30e6,
      1e-6,
    ),
    single("slow start: 100 kB over 30 MB/s and 25 ms: .177 s", transferTime(link, 100e3), 0.177, 0.005),
  ];
};
