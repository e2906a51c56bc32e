// Nodes that exchange in pairs, in islands or by messages meet on links that they share: that takes time, changes nothing
// else, and is the same whether or not the run stops on the way for an evaluation, or is interrupted and resumed.

import { describe, expect, test } from "vitest";
import type { FitOptions } from "./options.ts";
import { fedAvg, noLoCo, type Strategy, sgp } from "./strategies/index.ts";
import { clouds, perceptron, rehearse } from "./test/runs.ts";

const strategies: readonly (readonly [string, () => Strategy])[] = [
  ["SGP to random peers", () => sgp({ peers: 2, graph: "random" })],
  ["SGP with overlap", () => sgp({ overlap: 2 })],
  ["NoLoCo in pairs", () => noLoCo({ H: 2 })],
  ["FedAvg in islands", () => fedAvg({ H: 2, islandSize: 2 })],
];

const networks = {
  star: { topology: "star" },
  ring: { topology: "ring" },
  "one NIC": { nic: 1e5 },
} as const;

const run = (strategy: Strategy, network: FitOptions["network"]): FitOptions => ({
  strategy,
  nodes: 5,
  maxSteps: 12,
  batchSize: 4,
  seed: 5,
  valSize: 0,
  compute: { kind: "device", device: "laptop", utilization: 1e-6, variability: 0.5 },
  network: { bandwidth: 1e5, latency: [0.001, 0.01], jitter: 0.3, loss: 0.01, ...network },
});

describe.each(strategies)("%s", (_, strategy) => {
  test.each(Object.entries(networks))(
    "over %s: evaluations and interrupts do not show",
    async (__, network) => {
      const validation = clouds(40, 2);
      const whole = await rehearse({ ...run(strategy(), network), validation });
      const cut = await rehearse({ ...run(strategy(), network), validation, valSize: 8, valInterval: 3 });
      expect(cut.result.nodes).toEqual(whole.result.nodes);
      expect(cut.result.simulatedSeconds).toBe(whole.result.simulatedSeconds);
      expect(cut.result.parameters).toEqual(whole.result.parameters);
      const saved = await rehearse({ ...run(strategy(), network), validation, checkpointInterval: 5 });
      const resumed = await rehearse({
        ...run(strategy(), network),
        validation,
        model: perceptron(),
        resume: saved.snapshots.get(5)!,
      });
      expect(resumed.result.nodes).toEqual(whole.result.nodes);
    },
  );

  test("what is shared takes longer", async () => {
    const time = async (nic: number): Promise<number> => {
      const network = { topology: "star", bandwidth: 1e4, latency: 1e-4, nic } as const;
      return (await rehearse(run(strategy(), network))).result.simulatedSeconds;
    };
    expect(await time(1e4)).toBeGreaterThan(1.2 * (await time(1e9)));
  });
});
