// Bytes that the simulated world counts, against formulas: what each rank sends, and what the event of a collective says.
// Lengths need not divide by the number of nodes, so a ring's ranks send different amounts; with c(i) elements in chunk i,
// each passes on all chunks but one in each half of an all-reduce, and which one follows from the ring's order.

import { type Communicator, createSimulatedWorld } from "@atoll/comm";
import { type CollectiveDone, createRandom, type Rank } from "@atoll/core";
import { createVirtualClock, type NetworkOptions, resolveNetwork } from "@atoll/network";
import { type Check, Deviations } from "./row.ts";
import { ranksOf, SEED } from "./world.ts";

const ELEMENT = Float32Array.BYTES_PER_ELEMENT;

interface Example {
  readonly nodes: number;
  /** Elements of a vector, or of all members' parts together. */
  readonly length: number;
  /** Elements of chunk or part i, modulo the number of nodes. */
  readonly chunk: (i: number) => number;
}

interface Counted {
  readonly network?: NetworkOptions;
  readonly serves?: (nodes: number) => boolean;
  readonly call: (communicator: Communicator, example: Example) => Promise<unknown>;
  /** Elements that a rank sends, or that all send together where the roles of ranks differ. */
  readonly perRank?: (example: Example, rank: Rank) => number;
  readonly total?: (example: Example) => number;
}

const vector = ({ length }: Example): Float32Array => new Float32Array(length);
const part = ({ chunk }: Example, rank: Rank): Float32Array => new Float32Array(chunk(rank));
const isPowerOfTwo = (nodes: number): boolean => (nodes & (nodes - 1)) === 0;

const COUNTED: readonly Counted[] = [
  {
    call: (communicator, example) => communicator.allReduce(vector(example), { algorithm: "ring" }),
    perRank: ({ length, chunk }, rank) => 2 * length - chunk(rank + 1) - chunk(rank + 2),
  },
  {
    serves: isPowerOfTwo,
    call: (communicator, example) =>
      communicator.allReduce(vector(example), { algorithm: "halving-doubling" }),
    total: ({ nodes, length }) => 2 * (nodes - 1) * length,
  },
  {
    serves: isPowerOfTwo,
    call: (communicator, example) =>
      communicator.allReduce(vector(example), { algorithm: "recursive-doubling" }),
    perRank: ({ nodes, length }) => Math.log2(nodes) * length,
  },
  {
    call: (communicator, example) => communicator.allReduce(vector(example), { algorithm: "tree" }),
    total: ({ nodes, length }) => 2 * (nodes - 1) * length,
  },
  {
    network: { topology: "star" },
    call: (communicator, example) => communicator.allReduce(vector(example)),
    perRank: ({ nodes, length }, rank) => (rank === 0 ? (nodes - 1) * length : length),
  },
  {
    call: (communicator, example) => communicator.reduceScatter(vector(example)),
    perRank: ({ length, chunk }, rank) => length - chunk(rank),
  },
  {
    call: (communicator, example) => communicator.allGather(part(example, communicator.rank)),
    perRank: ({ length, chunk }, rank) => length - chunk(rank + 1),
  },
  {
    call: (communicator, example) => communicator.gather(part(example, communicator.rank)),
    perRank: ({ chunk }, rank) => (rank === 0 ? 0 : chunk(rank)),
  },
  {
    call: (communicator, example) =>
      communicator.allToAll(ranksOf(example.nodes).map((rank) => part(example, rank))),
    perRank: ({ length, chunk }, rank) => length - chunk(rank),
  },
  {
    call: (communicator, example) => communicator.broadcast(vector(example)),
    total: ({ nodes, length }) => (nodes - 1) * length,
  },
];

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

/** Bytes that each rank has sent, by its counter and by the event. */
async function count({ network, call }: Counted, example: Example): Promise<readonly (readonly number[])[]> {
  const ranks = ranksOf(example.nodes);
  const clock = createVirtualClock();
  const events: CollectiveDone[] = [];
  const world = createSimulatedWorld({
    worldSize: example.nodes,
    network: resolveNetwork(
      { profile: "wan", ...network },
      { worldSize: example.nodes, random: createRandom(SEED) },
    ),
    clock,
    emit: (event) => {
      if (event.type === "collective") events.push(event);
    },
  });
  const communicators = ranks.map((rank) => world.communicator(rank));
  await clock.run(communicators.map((communicator) => async () => void (await call(communicator, example))));
  return [communicators.map(({ bytesSent }) => bytesSent), ...events.map(({ bytes }) => bytes)];
}

const SIZES: readonly number[] = [2, 3, 4, 7, 8, 16, 33, 64];
const LENGTHS: readonly number[] = [1, 10, 1000, 4099];

/** Links are those of the profile wan: what is lost and sent again must not count. */
export const byteCounters: Check = async ({ maxNodes }) => {
  const deviations = new Deviations();
  for (const counted of COUNTED)
    for (const nodes of SIZES.filter((size) => size <= maxNodes && (counted.serves?.(size) ?? true)))
      for (const length of LENGTHS) {
        const start = (i: number): number => Math.floor((i * length) / nodes);
        const chunk = (i: number): number => start((i % nodes) + 1) - start(i % nodes);
        const example: Example = { nodes, length, chunk };
        for (const bytes of await count(counted, example)) {
          const { perRank, total } = counted;
          if (perRank !== undefined)
            for (const [rank, sent] of bytes.entries())
              deviations.add(Math.abs(sent - ELEMENT * perRank(example, rank)));
          if (total !== undefined) deviations.add(Math.abs(sum(bytes) - ELEMENT * total(example)));
        }
      }
  return [deviations.row("bytes sent by ten collectives, lengths that do not divide (bytes)", 0)];
};
