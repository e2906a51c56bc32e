import { createSimulatedWorld, type VectorArithmetic } from "@atoll/comm";
import { createRandom } from "@atoll/core";
import { createVirtualClock, resolveNetwork } from "@atoll/network";
import { createHeap } from "@atoll/tensor";
import { sharedVectors } from "@atoll/tensor/vectors";
import { expect, test } from "vitest";
import { createArithmetic } from "./arithmetic.ts";
import { runLocally } from "./localOperations.ts";
import type { LocalTask } from "./localTask.ts";

const NODES = 100;
const LENGTH = 20_011;

type Reduce = "inPlace" | "apart";

/** What all nodes end with; with the arithmetic of the world if none is given. */
async function allReduced(op: "sum" | "mean", how: Reduce, arithmetic?: VectorArithmetic) {
  const random = createRandom(7);
  const vectors = sharedVectors(...new Array<number>(NODES).fill(LENGTH));
  for (const vector of vectors) vector.set(Float32Array.from(vector, () => random.normal()));
  const clock = createVirtualClock();
  const world = createSimulatedWorld({
    worldSize: NODES,
    network: resolveNetwork({}, { worldSize: NODES, random }),
    clock,
    ...(arithmetic === undefined ? {} : { arithmetic }),
  });
  const results: Float32Array[] = [];
  const bodies = vectors.map((vector, rank) => async () => {
    const communicator = world.communicator(rank);
    if (how === "apart") results[rank] = await communicator.allReduced(vector, { op, algorithm: "ring" });
    else await communicator.allReduce(vector, { op, algorithm: "ring" });
  });
  await clock.run(bodies);
  return (how === "apart" ? results : vectors).map((vector) => Float32Array.from(vector));
}

test.each([
  ["sum", "inPlace"],
  ["mean", "inPlace"],
  ["mean", "apart"],
] as const)("the %s of a hundred nodes has the bits of plain loops, %s", async (op, how) => {
  const tasks: LocalTask[] = [];
  const run = async (task: LocalTask): Promise<void> => {
    tasks.push(task);
    runLocally(task);
  };
  const results = await allReduced(op, how, createArithmetic({ run }));
  const [expected] = await allReduced(op, how);
  for (const result of results) expect(result).toEqual(expected);
  expect(tasks.map(({ operation }) => operation)).toEqual(new Array(4).fill("orderedMeans"));
});

test("where a memory is full, scratch is taken from another one, once", async () => {
  const length = 16_384;
  const heap = createHeap({ bytesPerMemory: 3 * 4 * length });
  const vectors = [1, 2, 3].map((value) => heap.alloc(length).fill(value));
  const arithmetic = createArithmetic({ run: async (task) => runLocally(task) });
  const sum = {
    vectors,
    starts: Int32Array.of(0, 5000, length),
    orders: Int32Array.of(0, 1, 2, 2, 1, 0),
  };
  const places: number[] = [];
  for (let i = 0; i < 3; i++) {
    expect(new Set(await arithmetic.meanApart!(sum, 3))).toEqual(new Set([2]));
    await arithmetic.replaceByMeans!(sum, 3);
    for (const [member, vector] of vectors.entries()) {
      expect(new Set(vector)).toEqual(new Set([2]));
      vector.fill(member + 1);
    }
    places.push(heap.addressOf(heap.alloc(1)).byteOffset);
  }
  expect([places[1]! - places[0]!, places[2]! - places[1]!]).toEqual([64, 64]);
});
