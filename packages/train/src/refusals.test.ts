// Combinations that cannot run are refused before any work: nothing is compiled, measured or sent.

import { int8 } from "@atoll/comm";
import { ConfigError } from "@atoll/core";
import { expect, test } from "vitest";
import type { ExecutorFactory } from "./executor.ts";
import type { FitOptions } from "./options.ts";
import { ddp, deMo, fedAvg, sgp, sparta, streamingDiLoCo } from "./strategies/index.ts";
import { rehearse } from "./test/runs.ts";
import { onRanks } from "./test/world.ts";

const idle: ExecutorFactory = () => Promise.reject(new Error("the executor was asked for"));

const base: FitOptions = { strategy: ddp(), nodes: 4, maxSteps: 2 };

test.each<[string, () => Partial<FitOptions>, RegExp]>([
  [
    "fragments more than layers",
    () => ({ strategy: streamingDiLoCo({ fragments: 3 }) }),
    /strategy\.fragments": expected at most the number of the model's layers \(2: hidden, output\), got 3/,
  ],
  [
    "top-k above 1",
    () => ({ strategy: sparta({ p: 1.5 }) }),
    /strategy\.p": expected a number of at most 1, got 1\.5/,
  ],
  [
    "top-k above a chunk",
    () => ({ strategy: deMo({ chunkSize: 4, topK: 17 }) }),
    /topK": expected at most the 16/,
  ],
  [
    "islands of more than all",
    () => ({ strategy: fedAvg({ islandSize: 5 }) }),
    /islandSize": expected at most .*\(4\), got 5/,
  ],
  ["more peers than nodes", () => ({ strategy: sgp({ peers: 9 }) }), /strategy\.peers": expected at most/],
  [
    "buckets below none",
    () => ({ strategy: ddp({ buckets: -1 }) }),
    /strategy\.buckets": expected a number of at least 0, got -1/,
  ],
  [
    "an unknown all-reduce",
    () => ({ allReduce: "rings" as "ring" }),
    /Unknown choice of allReduce "rings"\. Did you mean "ring"\?/,
  ],
  [
    "a torus of another size",
    () => ({ network: { topology: "torus", dimensions: [3, 2] } }),
    /network\.dimensions": expected .* number of nodes, 4, got \[3,2\]/,
  ],
  [
    "an edge to nowhere",
    () => ({ network: { topology: "custom", edges: [[0, 9]] } }),
    /network\.edges": expected pairs .* from 0 to 3, got \[0,9\]/,
  ],
  [
    "a partition that isolates a star's hub, under wait",
    () => ({
      network: { topology: "star" },
      faults: { schedule: [{ kind: "partition", groups: [[0]], from: 1 }] },
    }),
    /a partition into \[0\], which isolates the star's hub, from 1 s on leaves 1 of 4 nodes connected for good/,
  ],
  [
    "a fault of no node",
    () => ({ faults: { schedule: [{ kind: "crash", node: 4, at: 1 }] } }),
    /faults\.schedule\[0\]\.node": expected a node from 0 to 3, got 4/,
  ],
  [
    "speeds of too few nodes",
    () => ({ compute: { kind: "measured", speeds: [1, 2] } }),
    /compute\.speeds": expected one for each of the 4 nodes, got 2/,
  ],
])("%s", async (_, options, message) => {
  const refused = async (): Promise<unknown> => rehearse({ ...base, ...options(), executor: idle });
  await expect(refused()).rejects.toThrow(message);
  await expect(refused()).rejects.toBeInstanceOf(ConfigError);
});

test("what can run is not refused", async () => {
  for (const strategy of [streamingDiLoCo({ fragments: 2 }), deMo({ chunkSize: 4, topK: 16 })])
    await expect(rehearse({ ...base, strategy, executor: idle })).rejects.toThrow(
      "the executor was asked for",
    );
});

test("an algorithm together with a codec is refused before a byte is sent", async () => {
  const vectors = [0, 1].map(() => new Float32Array(4).fill(1));
  const both = { algorithm: "ring", codec: int8() } as const;
  const calls = onRanks({ vectors }, ({ communicator, parameters }) =>
    communicator.allReduce(parameters, both),
  );
  await expect(calls).rejects.toThrow(/expected an algorithm or a codec, got both\. Leave one out\./);
  expect(vectors.map((vector) => [...vector])).toEqual([
    [1, 1, 1, 1],
    [1, 1, 1, 1],
  ]);
});
