// Transfers that share a link or a NIC: against fluid formulas, and where real TCP is known to do otherwise.
// Sources: Bertsekas and Gallager, "Data Networks" (2nd ed.), 6.5.2, for max-min fairness; Lakshman and Madhow, "The
// performance of TCP/IP for networks with high bandwidth-delay products and random loss" (IEEE/ACM ToN 1997) for 1/RTT.

import { createRandom, seconds } from "@atoll/core";
import type { NetworkOptions } from "@atoll/network";
import { type Check, Deviations, type Row } from "./row.ts";
import { duration, endsOf, exactNetwork, messages, planned, SEED } from "./world.ts";

const powersUpTo = (most: number): readonly number[] =>
  Array.from({ length: Math.floor(Math.log2(most)) }, (_, k) => 2 ** (k + 1));

/** Many senders, one receiver: its NIC serves all equally, so the k-th to end has waited for k − 1 smaller ones. */
export const incast: Check = ({ maxNodes, randomCases }) => {
  const equal = new Deviations();
  const [latency, nic] = [0.01, 1e7];
  for (const senders of powersUpTo(maxNodes).map((nodes) => nodes - 1)) {
    const network = exactNetwork({ latency, bandwidth: 1e8, nic }, senders + 1);
    const sent = Array.from({ length: senders }, (_, i) => [i + 1, 0, 1e6] as const);
    equal.compare(duration(messages(senders + 1, sent), network), latency + (senders * 1e6) / nic);
  }
  const uneven = new Deviations();
  for (let i = 0; i < randomCases / 10; i++) {
    const random = createRandom(SEED).derive("incast", i);
    const sizes = Array.from({ length: 2 + random.integer(30) }, () => 1 + random.integer(1e7));
    const network = exactNetwork({ latency, bandwidth: 1e8, nic }, sizes.length + 1);
    const sent = sizes.map((size, sender) => [sender + 1, 0, size] as const);
    const ends = endsOf(messages(sizes.length + 1, sent), network);
    for (const [sender, size] of sizes.entries()) {
      const moved = sizes.reduce((sum, other) => sum + Math.min(other, size), 0);
      uneven.compare(ends[sender + 1]!, latency + moved / nic);
    }
  }
  return [
    equal.row("incast, N equal senders to one NIC: α + Nnβ", 1e-6),
    uneven.row("incast, unequal senders, each one's end: α + β·Σ min(nⱼ, nᵢ)", 1e-6),
  ];
};

/** An all-reduce through a star's hub whose NIC carries `spokes` links' worth. */
export const starHub: Check = ({ maxNodes }) => {
  const deviations = new Deviations();
  const [latency, bandwidth, length] = [0.02, 1e7, 250_000];
  const size = length * Float32Array.BYTES_PER_ELEMENT;
  for (const nodes of powersUpTo(maxNodes))
    for (const spokes of [0.5, 1, 3, 100]) {
      const options: NetworkOptions = { topology: "star", latency, bandwidth, nic: spokes * bandwidth };
      const network = exactNetwork(options, nodes);
      const schedule = planned({ operation: "allReduce", op: "sum", length }, network);
      const atHub = ((nodes - 1) * size) / (spokes * bandwidth);
      deviations.compare(duration(schedule, network), 2 * (latency + Math.max(size / bandwidth, atHub)));
    }
  return [deviations.row("star hub, NIC of .5–100 links: 2(α + max(nβ, (N−1)n/NIC))", 1e-6)];
};

/**
 * Mean rate of the near flow over that of the far one while both are active. Node 0 is near the shared link 2–3 (RTT
 * 10 ms), node 1 far from it (100 ms).
 */
function rateRatio(more: NetworkOptions): number {
  const shared: NetworkOptions = {
    topology: "custom",
    edges: [
      [0, 2],
      [1, 2],
      [2, 3],
    ],
    bandwidth: 1e9,
    latency: 0.001,
    links: [
      { from: 0, to: 2, latency: 0.004 },
      { from: 1, to: 2, latency: 0.049 },
      { from: 2, to: 3, bandwidth: 1e7 },
    ],
    ...more,
  };
  const [small, large] = [1e6, 1e12];
  const rate = (sender: 0 | 1, latency: number): number => {
    const sent = [0, 1].map((source) => [source, 3, source === sender ? small : large] as const);
    // The far flow begins later by 45 ms; the near one waits, so that both are active all the time.
    const ready = [0.045, 0, 0, 0] as const;
    const ends = exactNetwork(shared, 4).time(messages(4, sent), ready.map(seconds));
    return small / (ends[sender]! - ready[sender]! - latency);
  };
  return rate(0, 0.005) / rate(1, 0.05);
}

export const mixedRoundTrips: Check = () => {
  const row = (what: string, more: NetworkOptions): Row => ({
    kind: "published",
    test: `RTTs of 10 and 100 ms on one link, rate of the near flow / far: ${what}`,
    cases: 1,
    model: rateRatio(more).toFixed(2),
    reference: "about 10 (Reno: rate ∝ 1/RTT)",
  });
  return [row("default", {}), row("rttWeights", { rttWeights: true })];
};

/** Two nodes, one duplex link. */
export const reverseTraffic: Check = () => {
  const slowdown = (options: NetworkOptions): number => {
    const network = exactNetwork({ bandwidth: 1e7, latency: 0.01, ...options }, 2);
    const there = [0, 1, 1e8] as const;
    const back = [1, 0, 1e8] as const;
    return duration(messages(2, [there, back]), network) / duration(messages(2, [there]), network);
  };
  const row = (what: string, options: NetworkOptions): Row => ({
    kind: "published",
    test: `data both ways on one duplex link, rate against one way: ${what}`,
    cases: 1,
    model: (1 / slowdown(options)).toFixed(2),
    reference: "about 0.67 (acknowledgements queue behind data)",
  });
  return [row("default", {}), row("lv08", { tcp: "lv08" })];
};
