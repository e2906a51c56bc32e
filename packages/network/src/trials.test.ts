import { createRandom, type Rank, seconds } from "@atoll/core";
import { expect, test, vi } from "vitest";
import type { Link } from "./link.ts";
import { Path } from "./path.ts";
import type { TransferSchedule } from "./schedule.ts";
import { resolveTcp } from "./tcp.ts";
import { Trials } from "./trials.ts";

const NODES = 12;
const tcp = resolveTcp({ tcp: "cm02" });

/** All members send to the first, where they share its line. */
const toFirst = (ranks: readonly Rank[]): TransferSchedule => ({
  ranks,
  chunkBytes: Float64Array.of(1e6),
  rounds: () => [
    {
      sources: Int32Array.from(ranks.slice(1), (_, i) => i + 1),
      targets: new Int32Array(ranks.length - 1),
      chunks: new Int32Array(ranks.length - 1),
    },
  ],
});

function trialsOf(made: Path[] = []): Trials {
  const capacities = Array.from({ length: 2 * NODES }, (_, i) => 1e6 * (1 + (i % NODES)));
  const createPath = (source: Rank, target: Rank): Path => {
    const link = { source, target, latency: seconds(0.01), jitter: 0.5, loss: 0, bandwidth: 1e7 } as Link;
    const resources = [source, NODES + target];
    const capacity = Math.min(...resources.map((resource) => capacities[resource]!));
    const path = new Path({
      source,
      target,
      links: [link],
      resources,
      capacity,
      tcp,
      random: createRandom(3),
    });
    made.push(path);
    return path;
  };
  return new Trials({ createPath, capacities });
}

test("a trial ends the same whatever was tried before, and remembers no paths but those of its members", () => {
  const made: Path[] = [];
  const trials = trialsOf(made);
  const groups = Array.from({ length: NODES - 3 }, (_, first) =>
    toFirst([first, first + 2, first + 1, first + 3]),
  );
  const times = groups.map((schedule) => {
    const begun = made.length;
    const forgotten = made.map((path) => vi.spyOn(path, "restore"));
    const time = trials.time(schedule);
    expect(made.length - begun, "paths of a group").toBe(3);
    expect(trials.time(schedule)).toBe(time);
    expect(made.length - begun, "and kept").toBe(3);
    for (const restore of forgotten) expect(restore).not.toHaveBeenCalled();
    return time;
  });
  expect(times).toEqual(groups.map((schedule) => trialsOf().time(schedule)));
  expect(new Set(times).size).toBe(times.length);
});
