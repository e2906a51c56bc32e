// What links carried, against what runs counted and what their networks allow.

import { sgd } from "@atoll/tensor";
import { ddp, type FitOptions, fedAvg, noLoCo, sparta } from "@atoll/train";
import { sum } from "d3-array";
import { describe, expect, test } from "vitest";
import { type NetworkUse, networkUse } from "./linkUse.ts";
import { rebuildNetwork } from "./rebuiltNetwork.ts";
import { interpretRun, type Run } from "./run.ts";
import { sampleRun } from "./test/sampleRun.ts";
import { trained } from "./test/smallRun.ts";

const optimizer = sgd({ learningRate: 0.1 });
const strategies = {
  ddp: ddp({ optimizer }),
  "ddp in buckets": ddp({ optimizer, buckets: 3 }),
  fedavg: fedAvg({ H: 2, optimizer }),
  sparta: sparta({ optimizer, p: 0.3 }),
  noloco: noLoCo({ H: 2, optimizer }),
};

const networks: Readonly<Record<string, FitOptions["network"]>> = {
  mesh: { topology: "fully_connected" },
  ring: { topology: "ring" },
  star: { topology: "star" },
  tree: { topology: "tree" },
  torus: { topology: "torus", dimensions: [2, 3] },
  islands: { topology: "islands", islandSize: 3, between: { profile: "mobile" } },
  custom: {
    topology: "custom",
    edges: [
      [0, 1],
      [1, 2],
      [2, 3],
      [3, 4],
      [4, 5],
      [1, 4],
    ],
  },
  given: {
    topology: "ring",
    nic: { up: 3e6, down: 5e6 },
    links: [{ from: 0, to: 1, bandwidth: 4e5, oneWay: true }],
  },
};

const COLUMNS = 40;

async function runOf(strategy: FitOptions["strategy"], network: FitOptions["network"]): Promise<Run> {
  const fit = {
    strategy,
    nodes: 6,
    maxSteps: 8,
    batchSize: 4,
    seed: 11,
    compute: { kind: "measured", durations: [1e-4, 3e-4], heterogeneity: 0.3 },
    network: { profile: "wan", ...network },
  } as FitOptions;
  return interpretRun(await trained(fit));
}

function useOf(run: Run): NetworkUse {
  const result = networkUse(run, COLUMNS);
  if (result.kind === "unknown") throw new Error(result.reason);
  return result.use;
}

const total = (rows: readonly Float64Array[], width: number): number => sum(rows, (row) => sum(row)) * width;

describe.each(Object.entries(networks))("on the network %s", (name, network) => {
  test("the links that are drawn again are those that were recorded", async () => {
    const run = await runOf(strategies.fedavg, network);
    const { topology } = rebuildNetwork(run)!;
    expect(run.topology!.links.length).toBeGreaterThan(0);
    for (const link of run.topology!.links) expect(topology.link(link.source, link.target)).toEqual(link);
  });

  test.each(Object.entries(strategies))(
    "%s: nothing is lost, and no link carries more than it can",
    async (_, strategy) => {
      const run = await runOf(strategy, network);
      const { up, down, width, busiest, nic } = useOf(run);
      const sent = sum(run.finished!.bytesSent);
      expect(total(up, width)).toBeCloseTo(total(down, width), 3);
      // Over several hops the nodes in between send it again.
      if (name === "mesh" || name === "islands") {
        expect(total(up, width) / sent).toBeCloseTo(1, 9);
        for (const [rank, bytes] of run.finished!.bytesSent.entries())
          expect(sum(up[rank]!) * width).toBeCloseTo(bytes, 3);
      } else expect(total(up, width)).toBeGreaterThanOrEqual(sent * (1 - 1e-9));
      for (const link of busiest) {
        const { capacity, bytes, busySeconds, rates } = link;
        expect(bytes / busySeconds).toBeLessThanOrEqual(capacity * (1 + 1e-9));
        expect(sum(rates) * width).toBeCloseTo(bytes, 3);
      }
      // Messages of different exchanges do not slow each other, so only runs of collectives keep to what NICs can do.
      if (!run.collectives.some(({ operation }) => operation === "send"))
        for (const rates of up)
          for (const rate of rates) expect(rate).toBeLessThanOrEqual(nic.up * (1 + 1e-6));
    },
  );
});

test("a hub carries what goes between its leaves; the busiest link is the one that is full the longest", async () => {
  const run = await runOf(strategies.ddp, { topology: "star" });
  const { up, busiest } = useOf(run);
  const [hub, ...leaves] = up.map((row) => sum(row));
  for (const leaf of leaves) expect(hub!).toBeGreaterThan(leaf);
  const load = busiest.map(({ bytes, capacity }) => bytes / capacity);
  expect(load).toEqual(load.toSorted((a, b) => b - a));
});

test("what cannot be told is said", () => {
  const reason = (run: Run): string => {
    const result = networkUse(run, COLUMNS);
    return result.kind === "unknown" ? result.reason : "known";
  };
  const run = interpretRun(sampleRun());
  expect(reason(run)).toBe("known");
  expect(reason({ ...run, collectives: [] })).toBe("Nothing was sent.");
  expect(reason({ ...run, settings: {} })).toContain("does not say enough of its network");
  const foreign = run.collectives.map((event) => ({ ...event, ranks: event.ranks.map((rank) => rank + 1) }));
  expect(reason({ ...run, collectives: foreign })).toContain("nodes that the run does not have");
  const odd = run.collectives.map((event) => ({ ...event, algorithm: "butterfly" }));
  expect(reason({ ...run, collectives: odd })).toContain('by the algorithm "butterfly"');
});
