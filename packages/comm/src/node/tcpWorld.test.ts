import { expect, test } from "vitest";
import { int8 } from "../codecs/int8.ts";
import { onTcp } from "./test/tcpFixture.ts";

test("first light", async () => {
  await onTcp(4, async (c, rank) => {
    for (const algorithm of ["ring", "halving-doubling", "recursive-doubling", "tree", "star"] as const) {
      const x = new Float32Array(1_000_003).fill(rank + 1);
      await c.allReduce(x, { algorithm });
      expect(x.every((v) => v === 10)).toBe(true);
    }
    await c.barrier();
    const x = new Float32Array(1000).fill(rank + 1);
    await c.allReduce(x, { codec: int8() });
    const parts = await c.allGather(new Float32Array(rank).fill(rank));
    expect(parts.map((p) => [...p])).toEqual([[], [1], [2, 2], [3, 3, 3]]);
    await c.allToAll([0, 1, 2, 3].map((t) => new Float32Array(rank + t).fill(10 * rank + t)));
    await c.gather(x, 2);
    await c.reduceScatter(x);
    await c.broadcast(x, 3);
    if (rank > 0) await c.send(x, 0, rank);
    else for (let i = 1; i < 4; i++) await c.recv("any", i);
  });
});
