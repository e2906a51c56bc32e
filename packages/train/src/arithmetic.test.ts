import { createSimulatedWorld, type VectorArithmetic } from "@atoll/comm";
import { createRandom } from "@atoll/core";
import { createVirtualClock, resolveNetwork } from "@atoll/network";
import { sharedVectors } from "@atoll/tensor/vectors";
import { expect, test } from "vitest";
import { createArithmetic } from "./arithmetic.ts";
import { type LocalTask, runLocally } from "./localOperations.ts";

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
