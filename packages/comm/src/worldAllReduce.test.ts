// The world's own choice of an all-reduce algorithm: which calls it reaches, and what is said when it cannot serve one.

import { expect, test } from "vitest";
import { int8 } from "./codecs/int8.ts";
import { ALL_REDUCE_CHOICES } from "./schedules/allReduce.ts";
import { createFixture } from "./test/fixture.ts";

const islands = { topology: "islands", islandSize: 2 } as const;

test.each(ALL_REDUCE_CHOICES)(
  "%s reaches the calls that name no algorithm and have no codec",
  async (choice) => {
    const { run, events, warnings } = createFixture(4, islands, 1, choice);
    await run(async (communicator, rank) => {
      const x = Float32Array.of(rank, 2 * rank);
      await communicator.allReduce(x);
      expect([...x]).toEqual([6, 12]);
      await communicator.allReduce(x, { algorithm: "tree" });
      await communicator.allReduce(x, { codec: int8() });
      await communicator.barrier();
    });
    const [own, named, coded, barrier] = events.map(({ algorithm }) => algorithm);
    if (choice === "auto") expect(own).toMatch(/ \(auto\)$/);
    else expect(own).toBe(choice === "topology" ? "ring" : choice);
    expect(named).toBe("tree");
    expect(coded).toContain("int8");
    expect(barrier).toBe("dissemination");
    const sentence = `All-reduces encoded as ${int8().name} do not go by ${choice}: every member sums one shard and sends it around a ring.`;
    expect(warnings).toEqual(choice === "topology" ? [] : [sentence]);
  },
);

test("a call may ask for the topology's own algorithm all the same", async () => {
  const { run, events } = createFixture(4, { topology: "star" }, 1, "tree");
  await run((communicator) => communicator.allReduce(new Float32Array(3), { algorithm: "topology" }));
  expect(events[0]!.algorithm).toBe("star");
});

test("a fallback is said once for each size of group, and not again after a resume", async () => {
  const rounds = async ({ run }: ReturnType<typeof createFixture>): Promise<void> =>
    run(async (communicator, rank) => {
      await communicator.allReduce(new Float32Array(5));
      if (rank < 3) await communicator.group([0, 1, 2]).allReduce(new Float32Array(5));
      await communicator.allReduce(new Float32Array(7));
    });
  const first = createFixture(6, {}, 1, "halving-doubling");
  await rounds(first);
  expect(first.warnings).toEqual([
    "All-reduce among 6 ranks goes by ring: halving-doubling needs a power of two, not 6 members.",
    "All-reduce among 3 ranks goes by ring: halving-doubling needs a power of two, not 3 members.",
  ]);
  const resumed = createFixture(6, {}, 1, "halving-doubling");
  resumed.world.restore(JSON.parse(JSON.stringify(first.world.snapshot())));
  await rounds(resumed);
  expect(resumed.warnings).toEqual([]);
});
