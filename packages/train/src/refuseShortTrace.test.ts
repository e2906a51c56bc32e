// The time at which a run sends its last byte is the shortest trace that it can have: one that is a little shorter is
// refused before the run, one that is a little longer carries it to its end.

import { ConfigError } from "@atoll/core";
import { expect, test } from "vitest";
import type { FitOptions } from "./options.ts";
import { adPsgd, ddp, deMo, diLoCo, eagerDiLoCo, type Strategy, sgp } from "./strategies/index.ts";
import { rehearse } from "./test/runs.ts";

const strategies: readonly (readonly [string, () => Strategy])[] = [
  ["DDP", ddp],
  ["DiLoCo", () => diLoCo({ H: 4 })],
  ["eager DiLoCo", () => eagerDiLoCo({ H: 3 })],
  ["DeMo", () => deMo({ chunkSize: 4, topK: 2 })],
  ["SGP", sgp],
  ["AD-PSGD, asynchronous", adPsgd],
];

const RATE = 1e5;

const run = (strategy: Strategy, length: number): FitOptions => ({
  strategy,
  nodes: 3,
  maxSteps: 12,
  batchSize: 4,
  seed: 3,
  network: {
    latency: 0.01,
    jitter: 0.3,
    loss: 0.02,
    trace: {
      name: "uplink",
      points: [
        [0, RATE],
        [length, RATE],
      ],
    },
  },
});

test.each(strategies)("%s", async (_, strategy) => {
  const { events } = await rehearse(run(strategy(), 1e6));
  const last = Math.max(...events.flatMap((event) => (event.type === "collective" ? event.end : [])));
  const trained = (length: number): Promise<unknown> => rehearse(run(strategy(), length));
  await expect(trained(last * 1.001)).resolves.toBeDefined();
  // What comes last is on the wire for milliseconds; its latency needs no bandwidth.
  const refused = trained(last * 0.6);
  await expect(refused).rejects.toThrow(ConfigError);
  await expect(refused).rejects.toThrow(
    /trace "uplink" .* or take fewer steps\. The run of 12 steps was timed before any training\./,
  );
});

test("one node needs no network, and a trace that repeats never ends", async () => {
  await expect(rehearse({ ...run(ddp(), 1e-3), nodes: 1 })).resolves.toBeDefined();
  const { network, ...rest } = run(ddp(), 0.1);
  const repeated = { ...network, trace: { ...network!.trace!, repeat: true } };
  await expect(rehearse({ ...rest, network: repeated })).resolves.toBeDefined();
});
