// What an exchange costs on a network: so many seconds whatever its size, and so many for each byte, α + βn of the usual
// model of collectives. Both are read off the schedule that the simulator itself would carry out, so algorithm, topology,
// shared links, TCP's window and the limits of congestion control are in them. Jitter, lost packets, slow start and what
// changes over time are not: the network's estimate is made without a draw.
// Source: Thakur, Rabenseifner, Gropp, "Optimization of collective communication operations in MPICH" (2005).

import { type AllReduceChoice, bytesSentBy, type Call, int8, type Schedule, scheduleOf } from "@atoll/comm";
import { bytes, type Random, type Rank } from "@atoll/core";
import type { Network, TransferSchedule } from "@atoll/network";
import type { Exchange } from "@atoll/train";

export interface ExchangeCost {
  /** α: seconds of an exchange of no bytes. */
  readonly latencySeconds: number;
  /** β: seconds for each byte, in `Exchange.bytes`'s sense. */
  readonly secondsPerByte: number;
  /** Bytes that a node sends for each of them, mean of all nodes. */
  readonly sentPerByte: number;
}

export interface CostContext {
  readonly network: Network;
  readonly nodes: number;
  readonly allReduce: AllReduceChoice;
  /** Elements that are exchanged at a time: what the algorithm "auto" goes by. */
  readonly elements: number;
  /** Draws the groups of exchanges that go on in groups. */
  readonly random: Random;
}

export const FREE: ExchangeCost = { latencySeconds: 0, secondsPerByte: 0, sentPerByte: 0 };

export function exchangeCost(exchange: Exchange, context: CostContext): ExchangeCost {
  if (exchange.operation === "send") return sendCost(exchange, context);
  const groups = groupsOf(exchange, context).filter((ranks) => ranks.length > 1);
  return groups
    .map((ranks) => ({ ranks, cost: collectiveCost(exchange, ranks, context) }))
    .reduce(
      (most, { ranks, cost }) => ({
        // Two groups wait for each other as soon as they have been mixed.
        latencySeconds: Math.max(most.latencySeconds, cost.latencySeconds),
        secondsPerByte: Math.max(most.secondsPerByte, cost.secondsPerByte),
        sentPerByte: most.sentPerByte + (cost.sentPerByte * ranks.length) / context.nodes,
      }),
      FREE,
    );
}

/** All ranks, or a shuffle of them in groups: as a strategy draws them in one of its rounds. */
function groupsOf({ groupSize }: Exchange, { nodes, random }: CostContext): readonly (readonly Rank[])[] {
  if (groupSize === undefined || groupSize >= nodes)
    return [Array.from({ length: nodes }, (_, rank) => rank)];
  const order = random.derive("groups").permutation(nodes);
  return Array.from({ length: Math.ceil(nodes / groupSize) }, (_, group) =>
    [...order.subarray(group * groupSize, (group + 1) * groupSize)].sort((a, b) => a - b),
  );
}

/** Elements of a chunk of the schedules that are looked at. */
const CHUNK = 1024;
/** Chunks are numbered with 32 bits. */
const MOST_ELEMENTS = 2 ** 31 - 1;

function collectiveCost(exchange: Exchange, ranks: readonly Rank[], context: CostContext): ExchangeCost {
  const { network } = context;
  const codec = int8();
  const algorithm = chosenAlgorithm(ranks, context);
  const scheduled = (chunk: number): Schedule => {
    const length = chunk * ranks.length;
    switch (exchange.operation) {
      case "allReduce":
        return makeSchedule({ operation: "allReduce", length, op: "mean", algorithm }, ranks, context);
      case "codedAllReduce":
        return makeSchedule({ operation: "allReduce", length, op: "mean", codec }, ranks, context);
      default:
        return makeSchedule({ operation: "allGather", length: chunk }, ranks, context);
    }
  };
  const payload = {
    allReduce: 4 * CHUNK * ranks.length,
    codedAllReduce: codec.bytes(CHUNK) * ranks.length,
    allGather: 4 * CHUNK,
    send: 4 * CHUNK,
  }[exchange.operation];
  const schedule = scheduled(CHUNK);
  const latencySeconds = network.estimate(scheduled(0));
  const sent = bytesSentBy(schedule).reduce((sum, of) => sum + of, 0);
  return {
    latencySeconds,
    secondsPerByte: (network.estimate(schedule) - latencySeconds) / payload,
    sentPerByte: sent / ranks.length / payload,
  };
}

const makeSchedule = (call: Call, ranks: readonly Rank[], { network }: CostContext): Schedule =>
  scheduleOf(
    call,
    ranks.map(() => call.length),
    { ranks, topology: network.topology, estimate: (schedule) => network.estimate(schedule) },
  );

/** "auto" is decided by the real size. */
function chosenAlgorithm(ranks: readonly Rank[], context: CostContext): AllReduceChoice {
  const { allReduce, elements } = context;
  if (allReduce !== "auto") return allReduce;
  const length = Math.min(MOST_ELEMENTS, Math.max(1, Math.round(elements)));
  const { algorithm } = makeSchedule(
    { operation: "allReduce", length, op: "mean", algorithm: "auto" },
    ranks,
    context,
  );
  return algorithm.replace(" (auto)", "") as AllReduceChoice;
}

/** A node's messages leave one after another; the slowest of the ways that they can take counts. */
function sendCost(
  { peers = 1, distances = powersOfTwo }: Exchange,
  { network, nodes }: CostContext,
): ExchangeCost {
  let latencySeconds = 0;
  let secondsPerByte = 0;
  for (const distance of nodes === 1 ? [] : distances(nodes))
    for (let rank = 0; rank < nodes; rank++) {
      const ranks = [rank, (rank + distance) % nodes];
      const empty = network.estimate(message(ranks, 0));
      const perByte = (network.estimate(message(ranks, CHUNK)) - empty) / CHUNK;
      latencySeconds = Math.max(latencySeconds, empty);
      secondsPerByte = Math.max(secondsPerByte, peers * perByte);
    }
  return { latencySeconds, secondsPerByte, sentPerByte: nodes === 1 ? 0 : peers };
}

const powersOfTwo = (nodes: number): readonly number[] =>
  Array.from({ length: Math.ceil(Math.log2(nodes)) }, (_, exponent) => 2 ** exponent);

const message = (ranks: readonly Rank[], size: number): TransferSchedule => ({
  ranks,
  chunkBytes: Float64Array.of(bytes(size)),
  rounds: () => [{ sources: Int32Array.of(0), targets: Int32Array.of(1), chunks: Int32Array.of(0) }],
});
