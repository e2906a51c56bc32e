// Ranks whose vectors lie in shared memory hash what they send and receive by kernels, others in loops: to the same checksums.

import { joinTcpWorld, type TcpWorld } from "@atoll/comm/node";
import { createRandom, seconds } from "@atoll/core";
import { resolveNetwork } from "@atoll/network";
import { sharedVectors } from "@atoll/tensor/vectors";
import { expect, test } from "vitest";
import { createArithmetic } from "../arithmetic.ts";

const LENGTH = 300_001;

test("ranks with kernels and ranks without take each other's frames", async () => {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const join = (rank: number, port: number): Promise<TcpWorld> =>
    joinTcpWorld({
      rank,
      worldSize: 3,
      master: { host: "127.0.0.1", port },
      runId: "test",
      token: "a token",
      network: resolveNetwork({}, { worldSize: 3, random: createRandom(1) }),
      clock: { now: () => seconds(performance.now() / 1000) },
      onListening: resolve,
      arithmetic: rank === 0 ? undefined : createArithmetic({ run: async () => undefined }),
    });
  const first = join(0, 0);
  first.catch(reject);
  const port = await promise;
  const worlds = await Promise.all([first, join(1, port), join(2, port)]);
  try {
    const sums = await Promise.all(
      worlds.map(async ({ communicator }, rank) => {
        const [shared] = sharedVectors(LENGTH);
        const x = rank === 1 ? shared! : new Float32Array(LENGTH);
        x.forEach((_, i) => {
          x[i] = (rank + 1) * i;
        });
        await communicator.allReduce(x, { op: "sum", algorithm: "ring" });
        return x;
      }),
    );
    for (const sum of sums) for (const i of [0, 1, 99_999, LENGTH - 1]) expect(sum[i]).toBe(6 * i);
  } finally {
    await Promise.all(worlds.map((world) => world[Symbol.asyncDispose]()));
  }
});
