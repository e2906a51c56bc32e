// Which examples lie on which node. Every example lands on exactly one node, and no node is empty; the seed decides.
// Source of the label shards: McMahan et al., "Communication-efficient learning of deep networks from decentralized
// data" (arXiv 1602.05629, §3). The Dirichlet partition has its own file.

import { ConfigError, type Random, type Rank, unreachable } from "@atoll/core";
import { type Dataset, exampleShape, type Subset, whole } from "./dataset.ts";
import { dirichletShares } from "./dirichlet.ts";

export type Partition =
  /** Ranges of equal length (to within one) in the data's own order. */
  | { readonly kind: "contiguous" }
  /** The same, in a random order: every node's data looks alike. */
  | { readonly kind: "shuffled" }
  /** Equal shares, each with its own mix of classes drawn from Dirichlet(alpha · class frequencies); a small alpha is a strong skew. */
  | { readonly kind: "dirichlet"; readonly alpha: number }
  /** The data sorted by class and cut into worldSize · shardsPerNode shards; each node is dealt shardsPerNode of them. */
  | { readonly kind: "labelShards"; readonly shardsPerNode: number };

/** Each node brings its own data set. */
export type DatasetFactory = (rank: Rank, worldSize: number) => Dataset | Promise<Dataset>;

/**
 * Spreads a data set, or part of one, over `worldSize` nodes; the share of rank r is at [r].
 * @throws ConfigError if a node would be empty, if the data has no labels to go by, or if a parameter is out of range.
 */
export function partition(
  { dataset, indices }: Subset,
  scheme: Partition,
  worldSize: number,
  random: Random,
): readonly Subset[] {
  if (!Number.isInteger(worldSize) || worldSize < 1)
    throw new ConfigError(`The number of nodes must be a positive integer, got ${worldSize}.`);
  if (indices.length < worldSize)
    throw new ConfigError(
      `Cannot spread ${indices.length} examples of "${dataset.name}" over ${worldSize} nodes: some would have none. Use at most ${indices.length} nodes, or more data.`,
    );
  const own = random.derive("partition", scheme.kind);
  const shares = assign({ dataset, indices }, scheme, worldSize, own);
  return shares.map((share) => ({ dataset, indices: share }));
}

function assign(
  subset: Subset,
  scheme: Partition,
  worldSize: number,
  random: Random,
): readonly Uint32Array[] {
  const { indices } = subset;
  switch (scheme.kind) {
    case "contiguous":
      return cut(indices, worldSize);
    case "shuffled":
      return cut(
        random.permutation(indices.length).map((i) => indices[i]!),
        worldSize,
      );
    case "dirichlet":
      if (!(scheme.alpha > 0 && scheme.alpha < Number.POSITIVE_INFINITY))
        throw new ConfigError(`The Dirichlet partition needs alpha > 0, got ${scheme.alpha}.`);
      return dirichletShares(
        { indices, ...labelsOf(subset.dataset, scheme.kind) },
        scheme.alpha,
        worldSize,
        random,
      );
    case "labelShards":
      return labelShards(subset, scheme.shardsPerNode, worldSize, random);
    default:
      return unreachable(scheme);
  }
}

/** Cuts into `count` consecutive parts whose lengths differ by at most one. */
function cut(indices: Uint32Array, count: number): Uint32Array[] {
  const bound = (part: number): number => Math.floor((part * indices.length) / count);
  return Array.from({ length: count }, (_, part) => indices.slice(bound(part), bound(part + 1)));
}

function labelsOf(dataset: Dataset, scheme: string): { labels: Int32Array; classes: number } {
  const { labels, classes } = dataset;
  if (labels === undefined || classes === undefined)
    throw new ConfigError(
      `The partition "${scheme}" goes by labels, but the data set "${dataset.name}" has none; use "contiguous" or "shuffled".`,
    );
  return { labels, classes };
}

function labelShards(
  { dataset, indices }: Subset,
  shardsPerNode: number,
  worldSize: number,
  random: Random,
): readonly Uint32Array[] {
  const { labels } = labelsOf(dataset, "labelShards");
  const count = worldSize * shardsPerNode;
  if (!Number.isInteger(shardsPerNode) || shardsPerNode < 1)
    throw new ConfigError(`shardsPerNode must be a positive integer, got ${shardsPerNode}.`);
  if (indices.length < count)
    throw new ConfigError(
      `Cannot cut ${indices.length} examples of "${dataset.name}" into ${count} label shards (${worldSize} nodes × shardsPerNode ${shardsPerNode}); use fewer nodes or a smaller shardsPerNode.`,
    );
  const sorted = indices.slice().sort((a, b) => labels[a]! - labels[b]! || a - b);
  const shards = cut(sorted, count);
  const order = random.permutation(count);
  return Array.from({ length: worldSize }, (_, rank) => {
    const dealt = order.subarray(rank * shardsPerNode, (rank + 1) * shardsPerNode);
    return Uint32Array.from([...dealt].flatMap((shard) => [...shards[shard]!]));
  });
}

/**
 * The data that each node brings itself; the share of rank r is at [r].
 * @throws ConfigError if a node's data set is empty, or its examples differ in shape or meaning from node 0's.
 */
export async function partitionByFactory(
  factory: DatasetFactory,
  worldSize: number,
): Promise<readonly Subset[]> {
  const datasets = await Promise.all(
    Array.from({ length: worldSize }, (_, rank) => factory(rank, worldSize)),
  );
  datasets.forEach((dataset, rank) => {
    if (dataset.size === 0) throw new ConfigError(`The data set "${dataset.name}" of node ${rank} is empty.`);
    const expected = signature(datasets[0]!);
    const got = signature(dataset);
    if (got !== expected)
      throw new ConfigError(
        `All nodes train one model, but node ${rank}'s data set "${dataset.name}" has ${got}, and node 0's has ${expected}.`,
      );
  });
  return datasets.map(whole);
}

/** What a model depends on, in words. */
function signature({ source, classes, vocabulary }: Dataset): string {
  const { x } = exampleShape(source);
  const symbols =
    vocabulary === undefined
      ? ""
      : ` of ${vocabulary.size} ${vocabulary.kind === "characters" ? "symbols" : "tokens"}`;
  const kinds = classes === undefined ? "" : ` in ${classes} classes`;
  return `${x.dtype} examples of shape [${x.shape}]${symbols}${kinds}`;
}
