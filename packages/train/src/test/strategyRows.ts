// The strategies that the conformance table goes through: how each is made, and the bytes that its paper promises.

import { type Optimizer, sgd } from "@atoll/tensor";
import {
  adPsgd,
  ddp,
  deMo,
  dgc,
  diLoCo,
  eagerDiLoCo,
  fedAdagrad,
  fedAdam,
  fedAvg,
  fedProx,
  fedYogi,
  int8AllReduce,
  muLoCo,
  noLoCo,
  oneBitAdam,
  powerSgd,
  qsgd,
  type Strategy,
  sgp,
  sparseLoCo,
  sparta,
  spartaDiLoCo,
  streamingDiLoCo,
} from "../strategies/index.ts";

/** What a row's formula is about. */
export interface Exchange {
  /** Steps done. */
  readonly step: number;
  readonly nodes: number;
  readonly parameterCount: number;
}

export interface StrategyRow {
  readonly name: string;
  create(optimizer?: Optimizer): Strategy;
  /** Payload bytes that all nodes together send after a step. */
  bytes(exchange: Exchange): number;
  /** Bytes of what has been started by the end of the run, and is not waited for. */
  inFlight?(exchange: Exchange): number;
  /** Default 1, 2, 3 and 8. */
  readonly worldSizes?: readonly number[];
  /** What a node learns depends on what has arrived: on how long messages and steps take. */
  readonly asynchronous?: true;
}

const FLOAT_BYTES = 4;

/** A ring all-reduce of floats among M nodes: 2(M − 1) · 4 bytes for each, all nodes together. */
const allReduced = (floats: number, M: number): number => 2 * (M - 1) * FLOAT_BYTES * floats;

/** What each of M nodes gives to an all-gather goes to all others. */
const allGathered = (bytesOfEach: number, M: number): number => M * (M - 1) * bytesOfEach;

/** A numerator and its weight, to one node. */
const pushed = (floats: number): number => FLOAT_BYTES * (floats + 1);

/** Encoded messages are sent in whole words. */
const words = (bytes: number): number => 4 * Math.ceil(bytes / 4);

/** All parameters, or so many floats, through a codec: each node's shards go to all others, and so do the sums of its own shard. */
const encodedReduced =
  (codecBytes: (length: number) => number, length?: number): StrategyRow["bytes"] =>
  ({ nodes, parameterCount }) => {
    const bound = (m: number): number => Math.floor((m * (length ?? parameterCount)) / nodes);
    const shards = Array.from({ length: nodes }, (_, m) => codecBytes(bound(m + 1) - bound(m)));
    return 2 * (nodes - 1) * shards.reduce((total, bytes) => total + bytes, 0);
  };

/** So many floats as E3M0, with a scale a shard. */
const fourBits = (length: number): StrategyRow["bytes"] =>
  encodedReduced((n) => Math.ceil(n / 2) + 4 * Math.ceil(n / 256), length);

/** All parameters, all-reduced among all nodes. */
const parametersReduced = ({ nodes, parameterCount }: Exchange): number => allReduced(parameterCount, nodes);

/** The same among groups of `size`, and what is left over. */
const parametersReducedIn =
  (size: number) =>
  ({ nodes, parameterCount }: Exchange): number =>
    Math.floor(nodes / size) * allReduced(parameterCount, size) +
    (nodes % size > 1 ? allReduced(parameterCount, nodes % size) : 0);

/** Every H steps, and nothing between. */
const every =
  (H: number, bytes: StrategyRow["bytes"]): StrategyRow["bytes"] =>
  (exchange) =>
    exchange.step % H === 0 ? bytes(exchange) : 0;

const given = (optimizer: Optimizer | undefined): { readonly optimizer?: Optimizer } =>
  optimizer === undefined ? {} : { optimizer };

export const strategyRows: readonly StrategyRow[] = [
  { name: "ddp", create: (o) => ddp(given(o)), bytes: parametersReduced },
  { name: "ddp in buckets", create: (o) => ddp({ buckets: 3, ...given(o) }), bytes: parametersReduced },
  { name: "fedAvg H=1", create: (o) => fedAvg({ ...given(o) }), bytes: parametersReduced },
  { name: "fedAvg H=4", create: (o) => fedAvg({ H: 4, ...given(o) }), bytes: every(4, parametersReduced) },
  {
    name: "fedAvg by share",
    create: (o) => fedAvg({ H: 3, weighting: "share", ...given(o) }),
    bytes: every(3, (exchange) => parametersReduced(exchange) + allReduced(1, exchange.nodes)),
  },
  {
    name: "fedAvg in islands",
    create: (o) => fedAvg({ H: 3, islandSize: 2, ...given(o) }),
    bytes: every(3, parametersReducedIn(2)),
    worldSizes: [2, 3, 8],
  },
  {
    name: "fedProx",
    create: (o) => fedProx({ H: 3, mu: 0.1, ...given(o) }),
    bytes: every(3, parametersReduced),
  },
  { name: "fedAdam", create: (o) => fedAdam({ H: 3, ...given(o) }), bytes: every(3, parametersReduced) },
  { name: "fedYogi", create: (o) => fedYogi({ H: 3, ...given(o) }), bytes: every(3, parametersReduced) },
  {
    name: "fedAdagrad",
    create: (o) => fedAdagrad({ H: 3, ...given(o) }),
    bytes: every(3, parametersReduced),
  },
  {
    name: "sparta",
    create: (o) => sparta({ p: 0.1, ...given(o) }),
    bytes: ({ nodes, parameterCount }) => allReduced(Math.floor(0.1 * parameterCount), nodes),
  },
  {
    name: "sparta in one order, delayed",
    create: (o) => sparta({ p: 0.3, selector: "shuffledSequential", interval: 2, delay: 2, ...given(o) }),
    bytes: every(2, ({ nodes, parameterCount }) => allReduced(Math.floor(0.3 * parameterCount), nodes)),
  },
  {
    name: "sparta by partitions",
    create: (o) => sparta({ p: 0.4, selector: "partitioned", ...given(o) }),
    bytes: ({ nodes, parameterCount }) => allReduced(Math.floor(0.4 * parameterCount), nodes),
  },
  {
    name: "spartaDiLoCo",
    create: (o) => spartaDiLoCo({ p: 0.1, interval: 2, H: 3, ...given(o) }),
    bytes: (exchange) =>
      every(3, parametersReduced)(exchange) +
      every(2, ({ nodes, parameterCount }) => allReduced(Math.floor(0.1 * parameterCount), nodes))(exchange),
  },
  {
    name: "noLoCo",
    create: (o) => noLoCo({ H: 3, ...given(o) }),
    // Two vectors of P floats each way between the nodes of a pair.
    bytes: every(3, ({ nodes, parameterCount }) => Math.floor(nodes / 2) * 2 * 8 * parameterCount),
  },
  {
    name: "sgp",
    create: (o) => sgp(given(o)),
    bytes: ({ nodes, parameterCount }) => (nodes > 1 ? nodes * pushed(parameterCount) : 0),
  },
  {
    name: "sgp overlapped, to two at random",
    create: (o) => sgp({ peers: 2, graph: "random", overlap: 2, ...given(o) }),
    bytes: ({ nodes, parameterCount }) => (nodes > 1 ? nodes * 2 * pushed(parameterCount) : 0),
    worldSizes: [1, 3, 8],
  },
  {
    name: "adPsgd",
    create: (o) => adPsgd(given(o)),
    asynchronous: true,
    // Each active node asks in one step and is answered in the next.
    bytes: ({ nodes, parameterCount }) =>
      nodes > 1 ? Math.ceil(nodes / 2) * FLOAT_BYTES * parameterCount : 0,
  },
  {
    name: "dgc",
    create: () => dgc({ density: 0.1 }),
    bytes: ({ nodes, parameterCount }) => allGathered(8 * Math.floor(0.1 * parameterCount), nodes),
  },
  {
    name: "qsgd",
    create: (o) => qsgd({ levels: 8, bucketSize: 32, ...given(o) }),
    // Three bits of level and one of sign for each element; a norm for each bucket.
    bytes: ({ nodes, parameterCount }) =>
      allGathered(words(Math.ceil((parameterCount * 4) / 8) + 4 * Math.ceil(parameterCount / 32)), nodes),
  },
  {
    name: "deMo",
    create: () => deMo({ chunkSize: 4, topK: 2, optimizer: sgd({ learningRate: 0.01 }) }),
    // Matrices of 6 × 8 and 8 × 4 in 4 + 2 chunks, vectors of 8 and 4 in 2 + 1: two coefficients of each.
    bytes: ({ nodes }) => allGathered(words(9 * 2 * (4 + 2)), nodes),
  },
  {
    name: "sparseLoCo",
    create: (o) => sparseLoCo({ H: 3, density: 1 / 8, chunkSize: 32, ...given(o) }),
    // Chunks of 32, 32 and 28, four elements of each with places of 5 bits and values of 2, and two scales for each chunk.
    bytes: every(3, ({ nodes }) =>
      allGathered(words(Math.ceil((12 * 5) / 8) + Math.ceil((12 * 2) / 8) + 8 * 3), nodes),
    ),
  },
  {
    name: "powerSgd",
    create: (o) => powerSgd({ rank: 2, ...given(o) }),
    bytes: ({ nodes }) => allReduced(2 * (6 + 8) + 2 * (8 + 4) + 8 + 4, nodes),
  },
  {
    name: "int8AllReduce",
    create: (o) => int8AllReduce({ blockSize: 16, ...given(o) }),
    bytes: encodedReduced((n) => n + 4 * Math.ceil(n / 16)),
  },
  {
    name: "oneBitAdam",
    create: () => oneBitAdam({ warmupSteps: 4, blockSize: 16, optimizer: sgd({ learningRate: 0.01 }) }),
    bytes: (exchange) =>
      exchange.step <= 4
        ? parametersReduced(exchange)
        : encodedReduced((n) => Math.ceil(n / 8) + 4 * Math.ceil(n / 16))(exchange),
  },
  {
    name: "muLoCo",
    create: () => muLoCo({ H: 3 }),
    bytes: every(
      3,
      encodedReduced((n) => Math.ceil(n / 4) + 8 * Math.ceil(n / 4096)),
    ),
  },
  {
    name: "eagerDiLoCo",
    create: (o) => eagerDiLoCo({ H: 3, ...given(o) }),
    // Counted when they have arrived: a round late.
    bytes: every(3, (exchange) => (exchange.step > 3 ? parametersReduced(exchange) : 0)),
    inFlight: parametersReduced,
  },
  {
    name: "streamingDiLoCo",
    create: (o) => streamingDiLoCo({ H: 4, fragments: 2, delay: 1, ...given(o) }),
    // Layer "hidden" (6 × 8 + 8) is sent after steps 4 and 8, "output" (8 × 4 + 4) after 2, 6 and 10: counted a step later.
    bytes(exchange) {
      if (exchange.step % 4 === 3) return fourBits(36)(exchange);
      return exchange.step % 4 === 1 && exchange.step > 1 ? fourBits(56)(exchange) : 0;
    },
    inFlight: fourBits(36),
  },
  { name: "diLoCo", create: (o) => diLoCo({ H: 4, ...given(o) }), bytes: every(4, parametersReduced) },
];
