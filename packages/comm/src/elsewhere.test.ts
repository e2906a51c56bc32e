// All-reduces whose numbers are added up somewhere else, while the simulation goes on: nothing shows of that.

import { type CollectiveDone, createRandom } from "@atoll/core";
import { createVirtualClock, type NetworkOptions, resolveNetwork } from "@atoll/network";
import { expect, test } from "vitest";
import { type OrderedSum, plainArithmetic, type VectorArithmetic } from "./arithmetic.ts";
import type { Codec } from "./codec.ts";
import { int8 } from "./codecs/int8.ts";
import type { Communicator } from "./communicator.ts";
import { ALL_REDUCE_CHOICES } from "./schedules/allReduce.ts";
import { createSimulatedWorld } from "./simulated.ts";

const NODES = 4;
const LENGTH = 20_001;

const vectorOf = (rank: number): Float32Array => {
  const random = createRandom(rank);
  return Float32Array.from({ length: LENGTH }, () => random.normal());
};

interface Rehearsal {
  readonly vectors: readonly Float32Array[];
  readonly events: readonly CollectiveDone[];
}

async function rehearse(
  network: NetworkOptions,
  arithmetic: VectorArithmetic,
  body: (communicator: Communicator, x: Float32Array) => Promise<void>,
): Promise<Rehearsal> {
  const clock = createVirtualClock();
  const events: CollectiveDone[] = [];
  const world = createSimulatedWorld({
    worldSize: NODES,
    network: resolveNetwork(network, { worldSize: NODES, random: createRandom(3) }),
    clock,
    arithmetic,
    emit: (event) => {
      if (event.type === "collective") events.push(event);
    },
  });
  const vectors = Array.from({ length: NODES }, (_, rank) => vectorOf(rank));
  await clock.run(vectors.map((x, rank) => () => body(world.communicator(rank), x)));
  return { vectors, events };
}

const later = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1));

const meanOf = ({ vectors, starts, orders }: OrderedSum, by: number): Float32Array => {
  const sum = new Float32Array(starts.at(-1)!);
  for (let chunk = 0; chunk + 1 < starts.length; chunk++) {
    const part = (vector: Float32Array): Float32Array => vector.subarray(starts[chunk], starts[chunk + 1]);
    const [first, ...others] = orders.subarray(chunk * vectors.length, (chunk + 1) * vectors.length);
    part(sum).set(part(vectors[first!]!));
    for (const other of others) plainArithmetic.add(part(sum), part(sum), part(vectors[other]!));
  }
  plainArithmetic.divide(sum, by);
  return sum;
};

/** Adds up what it is given after a while. */
const slow = (calls: number[]): VectorArithmetic => ({
  ...plainArithmetic,
  mean: (out, sum, by) => out.set(meanOf(sum, by)),
  async replaceByMeans(sum, by) {
    calls.push(sum.vectors.length);
    await later();
    const mean = meanOf(sum, by);
    for (const vector of sum.vectors) vector.set(mean);
  },
  async meanApart(sum, by) {
    calls.push(sum.vectors.length);
    await later();
    return meanOf(sum, by);
  },
});

test.each(["ring", "star", "fully_connected"] as const)(
  "the same bits, times and events through a %s",
  async (topology) => {
    for (const algorithm of ALL_REDUCE_CHOICES)
      for (const op of ["sum", "mean"] as const) {
        const body = async (communicator: Communicator, x: Float32Array): Promise<void> => {
          await communicator.allReduce(x, { op, algorithm });
          await communicator.allReduce(x.subarray(0, 5), { op });
        };
        const network: NetworkOptions = { profile: "mobile", topology };
        const calls: number[] = [];
        expect(await rehearse(network, slow(calls), body)).toEqual(
          await rehearse(network, plainArithmetic, body),
        );
        if (algorithm === "ring" || algorithm === "star") expect(calls).toHaveLength(1);
      }
  },
);

test("a call that overlaps with computing has its result at once", async () => {
  const calls: number[] = [];
  const { vectors } = await rehearse({}, slow(calls), async (communicator, x) => {
    const handle = communicator.start.allReduce(x, { op: "mean" });
    await handle.wait();
  });
  expect(calls).toEqual([]);
  expect(vectors[1]).toEqual(vectors[0]);
});

test("a codec that reduces by itself gives every member its result, in place or apart", async () => {
  const codec: Codec = int8();
  const reducing = (x: Float32Array): Codec => ({
    ...codec,
    reduce: async ({ vectors }) => {
      await later();
      expect(vectors).toContain(x);
      return Float32Array.from(vectors[0]!, (_, i) => i);
    },
  });
  const { vectors } = await rehearse({}, plainArithmetic, async (communicator, x) => {
    const before = x.slice();
    const apart = await communicator.allReduced(x, { op: "mean", codec: reducing(x) });
    expect([apart[0], apart[LENGTH - 1]]).toEqual([0, LENGTH - 1]);
    expect(x).toEqual(before);
    await communicator.allReduce(x, { op: "mean", codec: reducing(x) });
  });
  for (const vector of vectors) expect(vector).toEqual(Float32Array.from({ length: LENGTH }, (_, i) => i));
});

test("what is reduced apart is what would be in place, and leaves the vectors as they are", async () => {
  const calls: number[] = [];
  for (const arithmetic of [plainArithmetic, slow(calls)])
    for (const codec of [undefined, int8()]) {
      const inPlace = await rehearse({}, plainArithmetic, (communicator, x) =>
        communicator.allReduce(x, { op: "mean", ...(codec && { codec }) }),
      );
      await rehearse({}, arithmetic, async (communicator, x) => {
        const apart = await communicator.allReduced(x, { op: "mean", ...(codec && { codec }) });
        expect(apart).toEqual(inPlace.vectors[communicator.rank]);
        expect(x).toEqual(vectorOf(communicator.rank));
      });
    }
  expect(calls, "a sum without a codec is made elsewhere").toEqual([NODES]);
});
