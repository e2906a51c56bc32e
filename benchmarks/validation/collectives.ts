// Collectives against their published costs, on equal links that neither jitter nor lose anything.
// Sources: Thakur, Rabenseifner, Gropp, "Optimization of collective communication operations in MPICH" (2005) for all but
// the star; the star's hub moves (N − 1)n bytes each way. α: latency in seconds, t: n bytes at a link's bandwidth.

import type { AllReduceAlgorithm, Call } from "@atoll/comm";
import type { NetworkOptions, TopologyName } from "@atoll/network";
import { type Check, Deviations, type Row } from "./row.ts";
import { duration, exactNetwork, planned } from "./world.ts";

const LINKS = [
  { latency: 1e-4, bandwidth: 1.25e9 },
  { latency: 0.025, bandwidth: 30e6 },
  { latency: 0.5, bandwidth: 0.5e6 },
] as const;

/** Bytes of the whole vector. */
const SIZES: readonly number[] = [1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];

const POWERS: readonly number[] = [2, 4, 8, 16, 32, 64, 128, 256, 512, 1024];
const OTHERS: readonly number[] = [3, 5, 6, 7, 12, 31, 100, 1000];

interface Cost {
  readonly name: string;
  readonly formula: string;
  readonly topology?: TopologyName;
  readonly nodes: readonly number[];
  readonly call: (elements: number) => Call;
  /** Elements of each member's part, where members give parts. */
  readonly parts?: boolean;
  readonly seconds: (N: number, a: number, t: number) => number;
}

const reduce =
  (algorithm: AllReduceAlgorithm): Cost["call"] =>
  (length) => ({ operation: "allReduce", op: "sum", length, algorithm });

const ringSeconds: Cost["seconds"] = (N, a, t) => 2 * (N - 1) * (a + t / N);

const COSTS: readonly Cost[] = [
  {
    name: "ring all-reduce",
    formula: "2(N−1)α + 2(N−1)/N·nβ",
    nodes: [...POWERS, ...OTHERS],
    call: reduce("ring"),
    seconds: ringSeconds,
  },
  {
    name: "halving-doubling all-reduce",
    formula: "2log₂N·α + 2(N−1)/N·nβ",
    nodes: POWERS,
    call: reduce("halving-doubling"),
    seconds: (N, a, t) => 2 * Math.log2(N) * a + ((2 * (N - 1)) / N) * t,
  },
  {
    name: "recursive doubling all-reduce",
    formula: "log₂N(α + nβ)",
    nodes: POWERS,
    call: reduce("recursive-doubling"),
    seconds: (N, a, t) => Math.log2(N) * (a + t),
  },
  {
    name: "tree reduce and broadcast",
    formula: "2log₂N(α + nβ)",
    nodes: POWERS,
    call: reduce("tree"),
    seconds: (N, a, t) => 2 * Math.log2(N) * (a + t),
  },
  {
    name: "ring all-gather",
    formula: "(N−1)(α + nβ/N)",
    nodes: [...POWERS, ...OTHERS],
    call: (length) => ({ operation: "allGather", length }),
    parts: true,
    seconds: (N, a, t) => (N - 1) * (a + t / N),
  },
  {
    name: "ring reduce-scatter",
    formula: "(N−1)(α + nβ/N)",
    nodes: [...POWERS, ...OTHERS],
    call: (length) => ({ operation: "reduceScatter", op: "sum", length }),
    seconds: (N, a, t) => (N - 1) * (a + t / N),
  },
  {
    name: "star all-reduce",
    formula: "2α + 2(N−1)nβ",
    topology: "star",
    nodes: [...POWERS, ...OTHERS],
    call: reduce("star"),
    seconds: (N, a, t) => 2 * a + 2 * (N - 1) * t,
  },
];

/** Simulated seconds of one collective of `size` bytes. */
function measure(cost: Cost, nodes: number, size: number, options: NetworkOptions): number {
  const network = exactNetwork({ topology: cost.topology, ...options }, nodes);
  const elements = size / Float32Array.BYTES_PER_ELEMENT;
  // Parts differ by one element where the number does not divide.
  const share = (rank: number): number =>
    Math.floor(((rank + 1) * elements) / nodes) - Math.floor((rank * elements) / nodes);
  const lengths = cost.parts === true ? Array.from({ length: nodes }, (_, rank) => share(rank)) : [];
  return duration(planned(cost.call(elements), network, lengths), network);
}

type Compare = (got: number, expected: number) => void;

function eachCase(cost: Cost, maxNodes: number, compare: Compare): void {
  for (const nodes of cost.nodes.filter((count) => count <= maxNodes))
    for (const link of LINKS)
      for (const size of SIZES) {
        const expected = cost.seconds(nodes, link.latency, size / link.bandwidth);
        compare(measure(cost, nodes, size, link), expected);
      }
}

/** Uncontended, 1 kB to 1 GB, over three kinds of links. */
export const collectives: Check = ({ maxNodes }) =>
  COSTS.map((cost) => {
    const deviations = new Deviations();
    eachCase(cost, maxNodes, (got, expected) => deviations.compare(got, expected));
    return deviations.row(`${cost.name}: ${cost.formula}`, 0.01);
  });

/** World sizes that an algorithm's formula does not speak of; rings of 1,000 are among the collectives already. */
export const offPowersOfTwo: Check = ({ maxNodes }) => {
  const doubling = COSTS.filter(({ name }) => name.startsWith("halving") || name.startsWith("recursive"));
  const deviations = new Deviations();
  for (const cost of doubling)
    eachCase({ ...cost, nodes: OTHERS, seconds: ringSeconds }, Math.min(maxNodes, 100), (got, expected) =>
      deviations.compare(got, expected),
    );
  return [
    deviations.row("halving-doubling, recursive doubling off a power of two: as a ring", 0.01),
    treeOffPowersOfTwo(maxNodes),
  ];
};

/** A member without a partner in a round goes on to the next one, so its message may be on its way early. */
function treeOffPowersOfTwo(maxNodes: number): Row {
  const tree = COSTS.find(({ name }) => name.startsWith("tree"))!;
  const ratios: number[] = [];
  eachCase(
    { ...tree, nodes: OTHERS, seconds: (N, a, t) => 2 * Math.ceil(Math.log2(N)) * (a + t) },
    maxNodes,
    (got, expected) => ratios.push(got / expected),
  );
  const [least, most] = [Math.min(...ratios), Math.max(...ratios)];
  return {
    kind: "published",
    test: "tree off a power of two, time / formula",
    cases: ratios.length,
    model: `${least.toFixed(2)}–${most.toFixed(2)}`,
    reference: "2⌈log₂N⌉(α + nβ), if rounds are in step",
  };
}
