// What an exchange costs on a network: so many seconds whatever its size, and so many for each byte, α + βn of the usual
// model of collectives. Both are read off the schedule that the simulator itself would carry out, so algorithm, topology,
// shared links, TCP's window and the limits of congestion control are in them. Jitter, lost packets, slow start and what
// changes over time are not: the network's estimate is made without a draw.
// Source: Thakur, Rabenseifner, Gropp, "Optimization of collective communication operations in MPICH" (2005).

import { type AllReduceChoice, bytesSentBy, type Call, int8, type Schedule, scheduleOf } from "@atoll/comm";
import { bytes, type Random, type Rank } from "@atoll/core";
import type { Network, TransferRound, TransferSchedule } from "@atoll/network";
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
  return groups.length === 0 ? FREE : collectiveCost(exchange, groups, context);
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

/** Groups begin together, and two of them wait for each other as soon as they have been mixed. */
function collectiveCost(
  exchange: Exchange,
  groups: readonly (readonly Rank[])[],
  context: CostContext,
): ExchangeCost {
  const { network, nodes } = context;
  const codec = int8();
  const size = Math.max(...groups.map((ranks) => ranks.length));
  // It takes longer to choose than all else, and only all-reduces without a codec have a choice.
  const algorithms =
    exchange.operation === "allReduce" ? groups.map((ranks) => chosenAlgorithm(ranks, context)) : [];
  const scheduled = (chunk: number): readonly Schedule[] =>
    groups.map((ranks, group) => {
      const length = chunk * size;
      const algorithm = algorithms[group];
      switch (exchange.operation) {
        case "allReduce":
          return makeSchedule({ operation: "allReduce", length, op: "mean", algorithm }, ranks, context);
        case "codedAllReduce":
          return makeSchedule({ operation: "allReduce", length, op: "mean", codec }, ranks, context);
        default:
          return makeSchedule({ operation: "allGather", length: chunk }, ranks, context);
      }
    });
  const payload = {
    allReduce: 4 * CHUNK * size,
    codedAllReduce: codec.bytes(CHUNK) * size,
    allGather: 4 * CHUNK,
    send: 4 * CHUNK,
  }[exchange.operation];
  const schedules = scheduled(CHUNK);
  const latencySeconds = network.estimate(atOnce(scheduled(0)));
  const sent = schedules.flatMap((schedule) => [...bytesSentBy(schedule)]).reduce((sum, of) => sum + of, 0);
  return {
    latencySeconds,
    secondsPerByte: (network.estimate(atOnce(schedules)) - latencySeconds) / payload,
    sentPerByte: sent / nodes / payload,
  };
}

/** Schedules of different ranks as one, round by round, so that they share what they meet on. */
function atOnce(schedules: readonly TransferSchedule[]): TransferSchedule {
  if (schedules.length === 1) return schedules[0]!;
  const firstMember = startsOf(schedules.map(({ ranks }) => ranks.length));
  const firstChunk = startsOf(schedules.map(({ chunkBytes }) => chunkBytes.length));
  function* rounds(): Iterable<TransferRound> {
    const own = schedules.map((schedule) => schedule.rounds()[Symbol.iterator]());
    for (;;) {
      const next = own.map((iterator) => iterator.next());
      if (next.every(({ done }) => done)) return;
      const parts = next.map(({ done, value }) => (done ? EMPTY_ROUND : value));
      yield {
        sources: joined(parts.map(({ sources }, i) => sources.map((member) => member + firstMember[i]!))),
        targets: joined(parts.map(({ targets }, i) => targets.map((member) => member + firstMember[i]!))),
        chunks: joined(parts.map(({ chunks }, i) => chunks.map((chunk) => chunk + firstChunk[i]!))),
        chunkCounts: joined(parts.map(({ chunks, chunkCounts }) => chunkCounts ?? chunks.map(() => 1))),
      };
    }
  }
  return {
    ranks: schedules.flatMap(({ ranks }) => ranks),
    chunkBytes: Float64Array.from(schedules.flatMap(({ chunkBytes }) => [...chunkBytes])),
    rounds,
  };
}

const EMPTY_ROUND: TransferRound = {
  sources: new Int32Array(0),
  targets: new Int32Array(0),
  chunks: new Int32Array(0),
};

/** Where each of some parts begins if they follow one another. */
function startsOf(lengths: readonly number[]): readonly number[] {
  let start = 0;
  return lengths.map((length) => {
    start += length;
    return start - length;
  });
}

const joined = (parts: readonly Int32Array[]): Int32Array =>
  Int32Array.from(parts.flatMap((part) => [...part]));

const makeSchedule = (call: Call, ranks: readonly Rank[], { network }: CostContext): Schedule =>
  scheduleOf(
    call,
    ranks.map(() => call.length),
    { ranks, topology: network.topology, tryOut: (schedule) => network.tryOut(schedule) },
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

/** A node's messages leave one after another; all nodes send at once, to the peers of their turn. */
function sendCost(
  { peers = 1, distances = powersOfTwo }: Exchange,
  { network, nodes }: CostContext,
): ExchangeCost {
  if (nodes === 1) return FREE;
  const turns = distances(nodes).map((distance) => {
    const latency = network.estimate(messages(nodes, distance, 0));
    return { latency, perByte: (network.estimate(messages(nodes, distance, CHUNK)) - latency) / CHUNK };
  });
  const mean = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + value, 0) / values.length;
  return {
    latencySeconds: mean(turns.map(({ latency }) => latency)),
    secondsPerByte: peers * mean(turns.map(({ perByte }) => perByte)),
    sentPerByte: peers,
  };
}

const powersOfTwo = (nodes: number): readonly number[] =>
  Array.from({ length: Math.ceil(Math.log2(nodes)) }, (_, exponent) => 2 ** exponent);

/** A message from each node to the one so many further on. */
function messages(nodes: number, distance: number, size: number): TransferSchedule {
  const ranks = Array.from({ length: nodes }, (_, rank) => rank);
  return {
    ranks,
    chunkBytes: Float64Array.of(bytes(size)),
    rounds: () => [
      {
        sources: Int32Array.from(ranks),
        targets: Int32Array.from(ranks, (rank) => (rank + distance) % nodes),
        chunks: new Int32Array(nodes),
      },
    ],
  };
}
