import { ConfigError, createRandom } from "@atoll/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Dataset, type Subset, tableDataset, whole, windowsDataset } from "./dataset.ts";
import { type Partition, partition, partitionByFactory } from "./partition.ts";

const table = (labels: readonly number[], classes = 10): Dataset =>
  tableDataset({
    name: "t",
    x: new Uint8Array(labels.length),
    xShape: [],
    y: Int32Array.from(labels),
    classes,
  });

const windows = (length: number, blockSize: number): Dataset =>
  windowsDataset({ name: "w", tokens: new Uint16Array(length), blockSize });

const schemes: fc.Arbitrary<Partition> = fc.oneof(
  fc.constant<Partition>({ kind: "contiguous" }),
  fc.constant<Partition>({ kind: "shuffled" }),
  fc
    .double({ min: -6, max: 3, noNaN: true })
    .map((power): Partition => ({ kind: "dirichlet", alpha: 10 ** power })),
  fc.constant<Partition>({ kind: "labelShards", shardsPerNode: 2 }),
);

const labels = fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 20, maxLength: 120 });

const all = (shares: readonly Subset[]): number[] =>
  shares.flatMap(({ indices }) => [...indices]).sort((a, b) => a - b);

describe("every scheme", () => {
  test("puts every example on exactly one node, none empty, the same for the same seed", () => {
    fc.assert(
      fc.property(labels, schemes, fc.integer({ min: 1, max: 10 }), fc.nat(), (y, scheme, nodes, seed) => {
        const { dataset, indices } = whole(table(y));
        const train = { dataset, indices: indices.filter((i) => i % 11 !== seed % 11) };
        fc.pre(train.indices.length >= 2 * nodes);
        const shares = partition(train, scheme, nodes, createRandom(seed));
        expect(shares).toHaveLength(nodes);
        expect(all(shares)).toEqual([...train.indices].sort((a, b) => a - b));
        for (const { indices } of shares) expect(indices.length).toBeGreaterThan(0);
        expect(partition(train, scheme, nodes, createRandom(seed))).toEqual(shares);
      }),
    );
  });

  test("refuses more nodes than examples", () => {
    fc.assert(
      fc.property(schemes, (scheme) => {
        expect(() => partition(whole(table([0, 1, 2])), scheme, 4, createRandom(0))).toThrow(
          /Cannot spread 3 examples of "t" over 4 nodes/,
        );
      }),
    );
  });
});

test("shares are equal to within one, label shards to within one a shard", () => {
  fc.assert(
    fc.property(labels, schemes, fc.integer({ min: 1, max: 10 }), (y, scheme, nodes) => {
      const shares = partition(whole(table(y)), scheme, nodes, createRandom(3));
      const sizes = shares.map(({ indices }) => indices.length);
      const slack = scheme.kind === "labelShards" ? scheme.shardsPerNode : 1;
      expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(slack);
    }),
  );
});

test("contiguous shares are ranges in order, of windows too", () => {
  const shares = partition(whole(windows(25, 4)), { kind: "contiguous" }, 4, createRandom(0));
  expect(shares.map(({ indices }) => [indices[0], indices.at(-1)])).toEqual([
    [0, 4],
    [5, 9],
    [10, 14],
    [15, 20],
  ]);
});

test("two label shards that match class boundaries show a node at most two classes", () => {
  const y = Array.from({ length: 2000 }, (_, i) => i % 10);
  const shares = partition(whole(table(y)), { kind: "labelShards", shardsPerNode: 2 }, 10, createRandom(1));
  for (const { indices } of shares)
    expect(new Set([...indices].map((i) => y[i])).size).toBeLessThanOrEqual(2);
});

test("Dirichlet: a small alpha gives a node hardly more than one class, a large one the overall mix", () => {
  const y = Array.from({ length: 4000 }, (_, i) => i % 4);
  const largestShareOfAClass = (alpha: number): number[] =>
    partition(whole(table(y, 4)), { kind: "dirichlet", alpha }, 4, createRandom(8)).map(({ indices }) => {
      const counts = [0, 0, 0, 0];
      for (const i of indices) counts[y[i]!]!++;
      return Math.max(...counts) / indices.length;
    });
  expect(Math.max(...largestShareOfAClass(1e4))).toBeLessThan(0.3);
  const skewed = largestShareOfAClass(0.01);
  expect(skewed.reduce((sum, share) => sum + share) / 4).toBeGreaterThan(0.6);
});

test("schemes refuse what they cannot do, with numbers and remedy", () => {
  const random = createRandom(0);
  const ten = whole(table([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]));
  const skew: Partition = { kind: "dirichlet", alpha: 1 };
  expect(() => partition(whole(windows(9, 2)), skew, 2, random)).toThrow(
    /goes by labels, but .* "w" has none/,
  );
  expect(() => partition(ten, { kind: "dirichlet", alpha: 0 }, 2, random)).toThrow(/alpha > 0, got 0/);
  expect(() => partition(ten, { kind: "labelShards", shardsPerNode: 0 }, 2, random)).toThrow(ConfigError);
  expect(() => partition(ten, { kind: "labelShards", shardsPerNode: 3 }, 4, random)).toThrow(
    /into 12 label shards \(4 nodes × shardsPerNode 3\)/,
  );
  expect(() => partition(ten, skew, 0, random)).toThrow(/positive integer, got 0/);
});

test("a factory gives each node its own data; odd ones out are named", async () => {
  const shares = await partitionByFactory((rank) => table([0, 1, 2].slice(rank)), 2);
  expect(shares.map(({ indices }) => indices.length)).toEqual([3, 2]);
  const mixed = partitionByFactory(async (rank) => (rank === 1 ? windows(9, 2) : table([0])), 2);
  await expect(mixed).rejects.toThrow(/node 1's data set "w" has int32 examples of shape \[2\]/);
});
