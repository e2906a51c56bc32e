// Combinations that cannot run are refused before any work: nothing is compiled, measured or sent.

import { type Communicator, int8 } from "@atoll/comm";
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

test("what nodes need of memory is held against what there is", async () => {
  const fit = (nodes: number, memoryBytes: number) =>
    rehearse({ ...base, nodes, executor: idle, memoryBytes });
  await expect(fit(20, 1e4)).rejects.toThrow(
    /^Option "nodes": 20 nodes of .* each need .* of memory, and this machine has 10 kB\. Use nodes=\d+ or fewer, or a smaller model\.$/,
  );
  await expect(fit(20, 1e4)).rejects.toBeInstanceOf(ConfigError);
  await expect(fit(4, 10)).rejects.toThrow(/this machine has 10 B\. Use a smaller model\.$/);
  await expect(fit(4, 1e5)).rejects.toThrow("the executor was asked for");
});

test("a strategy of one's own is told what it gets wrong, in a few words", async () => {
  const own = fedAvg();
  const wrong = (): Partial<FitOptions> => ({ strategy: undefined as never });
  await expect((async () => rehearse({ ...base, ...wrong() }))()).rejects.toThrow(
    /^Option "strategy": expected a strategy, such as ddp\(\), got nothing\.$/,
  );
  for (const left of [Number.NaN, 0, 1.5])
    await expect(rehearse({ ...base, strategy: { ...own, localSteps: () => left } })).rejects.toThrow(
      `Strategy "fedavg": expected localSteps to give a whole number of steps from 1 on, got ${left} after step 0.`,
    );
  const vectors = [0, 1].map(() => new Float32Array(1000));
  const calling = (call: (communicator: Communicator, x: Float32Array) => unknown) =>
    onRanks({ vectors }, async ({ communicator, parameters }) => {
      await call(communicator, parameters);
    });
  await expect(calling((c, x) => c.allReduce(x, { op: "median" as "mean" }))).rejects.toThrow(
    "allReduce: expected op to be one of sum, mean, got median.",
  );
  await expect(calling((c, x) => c.send(1 as never, x as never))).rejects.toThrow(
    "send: expected a Float32Array, got 1.",
  );
  await expect(calling((c, x) => c.send(x, x as never))).rejects.toThrow(
    "send: expected a member from 0 to 1, got a Float32Array.",
  );
  await expect(calling((c) => c.broadcast([1, 2] as never))).rejects.toThrow(
    "broadcast: expected a Float32Array, got an Array.",
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
