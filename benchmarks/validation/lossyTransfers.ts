// Transfers over links that lose packets, drawn by round trips of their windows (network.tcp=rounds): against slow start
// where nothing is lost, against formulas of the mean rate in the long run, and the tail of short ones.
// Sources: Mathis, Semke, Mahdavi, Ott (CCR 1997), whose constant is √(3/2) = 1.22 for losses at equal distances and 1.31 for
// random ones; RFC 9438, 5; Padhye, Firoiu, Towsley, Kurose, "Modeling TCP throughput" (SIGCOMM 1998) for Reno with timeouts.

import { bytes, seconds } from "@atoll/core";
import type { Network, NetworkOptions } from "@atoll/network";
import { type Check, Deviations, type Row } from "./row.ts";
import { SEGMENT, single, transferTime } from "./transfers.ts";
import { exactNetwork } from "./world.ts";

/** Losses over which a mean rate is taken. */
const LOSSES = 10_000;

/** Round trip and loss where timeouts are rare. */
const LONG_RUNS = [
  [0.06, 1e-4],
  [0.06, 1e-3],
  [0.1, 1e-3],
  [0.2, 1e-3],
  [0.1, 5e-3],
] as const;

/** Segments a round trip that one flow has over a link that never limits it, without its beginning. */
function meanWindow(congestion: "reno" | "cubic", roundTrip: number, loss: number): number {
  const link: NetworkOptions = { bandwidth: 1e9, window: 1e9, latency: roundTrip / 2, loss };
  const network = exactNetwork({ ...link, tcp: "rounds", congestion }, 2);
  const size = bytes(Math.ceil(LOSSES / loss) * SEGMENT);
  const begin = network.transfer(0, 1, size, seconds(0));
  return (size / SEGMENT / (network.transfer(0, 1, size, begin) - begin)) * roundTrip;
}

/** Segments a round trip by the approximate formula of Padhye et al., every packet acknowledged. @param timeout in round trips */
const padhye = (loss: number, timeout: number): number =>
  1 /
  (Math.sqrt((2 * loss) / 3) +
    timeout * Math.min(1, 3 * Math.sqrt((3 * loss) / 8)) * loss * (1 + 32 * loss ** 2));

const range = (numbers: readonly number[]): string =>
  `${Math.min(...numbers).toFixed(2)}–${Math.max(...numbers).toFixed(2)}`;

export const rounds: Check = () => {
  const lossless = new Deviations();
  for (const latency of [1e-4, 0.01, 0.1])
    for (const bandwidth of [1e6, 30e6, 1e9])
      for (const size of [1e3, 1e5, 1e7]) {
        const link = { latency, bandwidth };
        const expected = transferTime({ ...link, slowStart: true }, size);
        lossless.compare(transferTime({ ...link, tcp: "rounds" }, size), expected);
      }
  const reno = new Deviations();
  for (const [roundTrip, loss] of LONG_RUNS)
    reno.compare(meanWindow("reno", roundTrip, loss), Math.sqrt(3 / (2 * loss)));
  const cubic = LONG_RUNS.map(([roundTrip, loss]) => {
    const formula = Math.max(Math.sqrt(3 / (2 * loss)), 1.054 * (roundTrip / loss) ** 0.75);
    return meanWindow("cubic", roundTrip, loss) / formula;
  });
  const timeouts = new Deviations();
  for (const loss of [0.01, 0.02, 0.05])
    timeouts.compare(meanWindow("reno", 0.1, loss), padhye(loss, (0.1 + 0.2) / 0.1));
  return [
    lossless.row("rounds, nothing lost: times of slow start", 1e-6),
    single(
      "rounds, nothing lost: 100 kB over 30 MB/s and 25 ms: .177 s",
      transferTime({ bandwidth: 30e6, latency: 0.025, tcp: "rounds" }, 100e3),
      0.177,
      0.005,
    ),
    reno.row("rounds, Reno's mean rate at .01–.5 % loss: MSS/RTT·√(3/2p)", 0.1),
    timeouts.row("rounds, Reno's mean rate at 1, 2, 5 % loss: Padhye et al., with timeouts", 0.1),
    {
      kind: "published",
      test: "rounds, CUBIC's mean rate at .01–.5 % loss / max(Reno, CUBIC) by formula",
      cases: cubic.length,
      model: range(cubic),
      reference: "1 with losses at equal distances",
    },
  ];
};

/** The tail that loss gives to the time of a transfer over 30 MB/s and a round trip of 60 ms, at 0.1 %. */
export const lossTail: Check = ({ transfers }) => {
  const ratioOf = (size: number, more: NetworkOptions, prepare: (on: Network, transfer: number) => void) => {
    const network = exactNetwork({ bandwidth: 30e6, latency: 0.03, loss: 1e-3, ...more }, 2);
    let at = seconds(0);
    const times = Array.from({ length: transfers }, (_, transfer) => {
      prepare(network, transfer);
      const begin = at;
      at = network.transfer(0, 1, bytes(size), begin);
      return at - begin;
    });
    times.sort((a, b) => a - b);
    const quantile = (part: number): number => times[Math.floor(part * times.length)]!;
    return quantile(0.95) / quantile(0.5);
  };
  const stayOpen = (): void => undefined;
  const openAnew = (on: Network, transfer: number): void => on.restore({ 0: { 1: [transfer] } });
  const sizes = [10e3, 100e3, 1e6, 10e6];
  const row = (what: string, more: NetworkOptions, prepare = stayOpen as typeof openAnew): Row => ({
    kind: "published",
    test: `loss of 0.1 %, p95 / median for 10 kB, 100 kB, 1 MB, 10 MB: ${what}`,
    cases: sizes.length * transfers,
    model: sizes.map((size) => ratioOf(size, more, prepare).toFixed(2)).join(", "),
    reference: "3–4 in real TCP",
  });
  const reno: NetworkOptions = { tcp: "rounds", congestion: "reno" };
  const cubic: NetworkOptions = { tcp: "rounds", congestion: "cubic" };
  return [
    row("default", {}),
    row("Reno", { congestion: "reno" }),
    row("rounds, Reno, new connections", reno, openAnew),
    row("rounds, Reno, one connection", reno),
    row("rounds, CUBIC, new connections", cubic, openAnew),
    row("rounds, CUBIC, one connection", cubic),
  ];
};
